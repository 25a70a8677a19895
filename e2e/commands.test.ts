import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Scenario, startSharedScenario } from "@opencomputer/harness";
import { Sandbox } from "@opencomputer/sdk";
import { reaches } from "./reaches-sandbox.ts";

const pollMilliseconds = 200;

describe("shells, idempotency keys and what counts as use", () => {
  let scenario: Scenario;
  let sandbox: Sandbox;
  before(async () => {
    scenario = await startSharedScenario();
    sandbox = await scenario.createSandbox();
  });
  after(async () => assert.deepEqual(await scenario.end(), []));

  async function untilHolds(holds: () => Promise<boolean>): Promise<void> {
    while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, pollMilliseconds));
  }
  const statusOf = async ({ id }: Sandbox) => (await Sandbox.get(id, scenario.connection)).status;

  test("a shell keeps its state, through syntax errors, time-outs and a hibernation", async () => {
    const shell = await sandbox.exec.shell({ cwd: "/workspace", envs: { ONE: "1" } });
    assert.deepEqual(await shell.run('whoami; echo "$PWD $ONE"; printf err >&2'), {
      ...{ exitCode: 0, stdout: "sandbox\n/workspace 1\n", stderr: "err" },
    });
    await shell.run("cd /tmp; export SHOWN=yes; greet() { echo hello $1; }");
    assert.notEqual((await shell.run("if (")).exitCode, 0);
    const late = await shell.run("sleep 60; echo after", { timeout: 1 });
    assert.deepEqual(late, { exitCode: -1, stdout: "", stderr: "\nProcess timed out" });
    assert.equal(
      (await shell.run("greet you; pwd; printenv SHOWN")).stdout,
      "hello you\n/tmp\nyes\n",
    );
    await sandbox.hibernate();
    const again = await sandbox.exec.reattachShell(shell.sessionId);
    assert.equal((await again.run("greet again; pwd")).stdout, "hello again\n/tmp\n");
    const ended = await again.run("nohup sleep 600 > /dev/null 2>&1 & exit 3");
    assert.deepEqual([ended.exitCode, again.exitCode], [3, 3]);
    await assert.rejects(again.run("true"), { code: "shell_closed" });
    assert.equal((await sandbox.exec.run("pkill -c sleep")).stdout, "1\n");
  });

  test("a command with a key runs once, however often it is sent", async () => {
    const run = (idempotencyKey: string) =>
      sandbox.exec.run("echo ran >> /tmp/count; sleep 1; wc -l < /tmp/count", { idempotencyKey });
    const results = await Promise.all([run("count"), run("count"), run("count")]);
    assert.deepEqual(
      results.map(({ stdout }) => stdout),
      ["1\n", "1\n", "1\n"],
    );
    assert.equal((await run("count")).stdout, "1\n");
    assert.equal((await run("count-again")).stdout, "2\n");
    await assert.rejects(sandbox.exec.run("true", { idempotencyKey: "count" }), {
      code: "idempotency_key_reused",
    });
  });

  test("a command whose callers have all left is ended", async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const running = sandbox.exec.run("sleep 987", { signal });
    await untilHolds(async () => (await sandbox.exec.run("pgrep -xfc 'sleep 987'")).exitCode === 0);
    controller.abort(new Error("enough"));
    await assert.rejects(running, /enough/);
    await untilHolds(async () => (await sandbox.exec.run("pgrep -xf 'sleep 987'")).exitCode === 1);
  });

  test("the key of a session is known after the worker was killed", async () => {
    const start = () => sandbox.exec.startDetached("sleep 654", { idempotencyKey: "session" });
    const { sessionID } = await start();
    await scenario.installation.kill("worker");
    await untilHolds(() => reaches(sandbox));
    assert.equal((await start()).sessionID, sessionID);
    assert.equal((await sandbox.exec.run("pgrep -xfc 'sleep 654'")).stdout, "1\n");
    await assert.rejects(sandbox.exec.startDetached("sleep 655", { idempotencyKey: "session" }), {
      code: "idempotency_key_reused",
      status: 422,
    });
    await sandbox.exec.kill(sessionID);
  });

  test("a busy loop in the background keeps a sandbox awake with idle cpu alone", async () => {
    // A third of one CPU: many times what counts as use, and not all that the host has.
    const busyLoop = `nohup sh -c 'while :; do timeout 0.3 sh -c "while :; do :; done"; sleep 0.6; done' > /dev/null 2>&1 &`;
    const timeout = 12;
    const busy = await scenario.createSandbox({ timeout, idle: "cpu" });
    await busy.exec.run(busyLoop);
    const quiet = await scenario.createSandbox({ timeout, idle: "cpu" });
    const byDefault = await scenario.createSandbox({ timeout });
    await byDefault.exec.run(busyLoop);
    const { endAt } = await busy.getInfo();
    for (const other of [byDefault, quiet]) {
      await untilHolds(async () => (await statusOf(other)) === "hibernated");
    }
    await untilHolds(async () => (await busy.getInfo()).endAt !== endAt);
    assert.equal(await statusOf(busy), "running");
    await busy.exec.run("pkill -f 'while :'");
    await untilHolds(async () => (await statusOf(busy)) === "hibernated");
  });
});
