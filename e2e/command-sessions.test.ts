import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  readMemory,
  resetPeakMemory,
  type Scenario,
  startSharedScenario,
} from "@opencomputer/harness";
import type { CommandSession, Sandbox } from "@opencomputer/sdk";
import { reaches } from "./reaches-sandbox.ts";

const program = fileURLToPath(new URL("../packages/cli/bin/oc.js", import.meta.url));
const megabyte = 1024 * 1024;
const pollMilliseconds = 100;
const pause = () => new Promise((resolve) => setTimeout(resolve, pollMilliseconds));
const decoder = new TextDecoder();

describe("command sessions", () => {
  let scenario: Scenario;
  let sandbox: Sandbox;
  before(async () => {
    scenario = await startSharedScenario();
    sandbox = await scenario.createSandbox();
  });
  after(async () => assert.deepEqual(await scenario.end(), []));

  /** Reads until that was received; the iteration continues from there. */
  async function readUntil(chunks: AsyncIterator<{ data: Uint8Array }>, text: string) {
    let received = "";
    while (!received.includes(text)) {
      const { done, value } = await chunks.next();
      assert.ok(done !== true, `the session ended after ${JSON.stringify(received)}`);
      received += decoder.decode(value.data);
    }
    return received;
  }
  const chunksOf = (session: CommandSession) => session[Symbol.asyncIterator]();
  /** Prints what it reads, line by line, and ends with 9 at the end of its input. */
  const echoLines = "echo begun; while read -r line; do echo got $line; done; exit 9";

  test("output, input and exit code are passed on at once", async () => {
    const session = await sandbox.exec.start(echoLines);
    const chunks = chunksOf(session);
    await readUntil(chunks, "begun\n");
    for (const line of ["one", "two"]) {
      await session.sendStdin(`${line}\n`);
      assert.equal(await readUntil(chunks, "\n"), `got ${line}\n`);
    }
    await session.endStdin();
    assert.equal((await chunks.next()).done, true);
    assert.equal(await session.wait(), 9);
  });

  test("a session continues without its client, and replays to the next", async () => {
    const first = await sandbox.exec.start(echoLines);
    await readUntil(chunksOf(first), "begun\n");
    first.close();
    let received = "";
    const second = await sandbox.exec.attach(first.sessionId, {
      onStdout: (data) => {
        received += decoder.decode(data);
      },
      onReplayEnd: () => {
        received += "|";
      },
    });
    await second.sendStdin("later\n");
    await second.endStdin();
    assert.equal(await second.wait(), 9);
    assert.equal(received, "begun\n|got later\n");
    const ended = await sandbox.exec.attach(first.sessionId);
    assert.equal(await readUntil(chunksOf(ended), "later\n"), "begun\ngot later\n");
  });

  /** Loses the connection to a session in the middle, attaches again, and ends it as usual. */
  async function comeBackAfter(loss: () => Promise<void>): Promise<CommandSession> {
    const before = await sandbox.exec.start(echoLines);
    await before.sendStdin("one\n");
    await readUntil(chunksOf(before), "got one\n");
    const lost = assert.rejects(before.wait(), { code: "connection_failed" });
    await loss();
    await lost;
    while (!(await reaches(sandbox))) await pause();
    const again = await sandbox.exec.attach(before.sessionId);
    const chunks = chunksOf(again);
    await readUntil(chunks, "begun\ngot one\n");
    await again.sendStdin("two\n");
    await again.endStdin();
    await readUntil(chunks, "got two\n");
    assert.equal((await chunks.next()).done, true);
    assert.equal(await again.wait(), 9);
    return again;
  }

  for (const name of ["control-plane", "worker"] as const) {
    test(`a session outlives the ${name}`, async () => {
      await comeBackAfter(() => scenario.installation.kill(name));
    });
  }

  test("a session continues after a hibernation, which detaches its clients", async () => {
    const again = await comeBackAfter(async () => void (await sandbox.hibernate()));
    assert.equal(again.info.attachedClients, 0);
  });

  test("kill ends the whole group; a process that holds the output open does not keep the session", async () => {
    const session = await sandbox.exec.start("sleep 1000 & sleep 1000 & echo begun; wait");
    await readUntil(chunksOf(session), "begun\n");
    await session.kill(15);
    assert.equal(await session.wait(), 143);
    const holding = await sandbox.exec.start("sleep 600 & echo gone");
    assert.equal(await holding.wait(), 0);
    assert.equal((await sandbox.exec.run("pgrep -c -x -f 'sleep 1000'")).stdout, "0\n");
    assert.equal((await sandbox.exec.run("pkill -x -f 'sleep 600'")).exitCode, 0);
  });

  test("time-outs: of the command, and after its last client has left", async () => {
    const late = await sandbox.exec.start("sleep 1000", { timeout: 1 });
    assert.equal(await late.wait(), -1);
    const left = await sandbox.exec.start("sleep 1000", { maxRunAfterDisconnect: 1 });
    left.close();
    while ((await sandbox.exec.get(left.sessionId)).running) await pause();
    assert.equal((await sandbox.exec.get(left.sessionId)).exitCode, 137);
  });

  test("background commands: a quick result at once, a slow one later", async () => {
    const quick = await sandbox.exec.runAsync("true", { args: [] });
    if (!quick.running) assert.equal(quick.exitCode, 0);
    const slow = await sandbox.exec.runAsync("echo out; echo err >&2; sleep 1; exit 4");
    assert.ok(slow.running);
    let progress = await sandbox.exec.result(slow.execId);
    while (progress.running) progress = await sandbox.exec.result(slow.execId);
    assert.deepEqual(progress, { running: false, exitCode: 4, stdout: "out\n", stderr: "err\n" });
    await assert.rejects(sandbox.exec.result("exec-0"), { code: "session_not_found" });
  });

  test("120 MiB reach a slow reader completely, and no process that passes them on grows", async () => {
    const bytes = 120 * megabyte;
    const pids = [
      ...(await scenario.installation.pidsOf("control-plane")),
      ...(await scenario.installation.pidsOf("worker")),
    ];
    const before = await Promise.all(pids.map(readMemory));
    for (const pid of pids) await resetPeakMemory(pid);
    let received = 0;
    let pauses = 0;
    const session = await sandbox.exec.start(`head -c ${bytes} /dev/zero`, {
      async onStdout(data) {
        received += data.length;
        if (received > pauses * 20 * megabyte) {
          pauses += 1;
          await new Promise((resolve) => setTimeout(resolve, 300));
        }
      },
    });
    assert.equal(await session.wait(), 0);
    assert.equal(received, bytes);
    for (const [index, pid] of pids.entries()) {
      const grown = (await readMemory(pid)).peak - (before[index]?.now ?? 0);
      assert.ok(
        grown < 64 * megabyte,
        `process ${pid} grew by ${Math.round(grown / megabyte)} MiB`,
      );
    }
  });

  test("oc exec streams both ways, is interrupted, and leaves what was detached", async () => {
    const oc = (args: string[]) =>
      spawn(process.execPath, [program, ...args], {
        env: {
          PATH: process.env["PATH"],
          HOME: "/nonexistent",
          OPENCOMPUTER_API_URL: scenario.connection.apiUrl,
          OPENCOMPUTER_API_KEY: scenario.connection.apiKey,
        },
        stdio: ["pipe", "pipe", "inherit"],
      });
    const finished = async (child: ReturnType<typeof oc>) => {
      let stdout = "";
      child.stdout.setEncoding("utf8").on("data", (text: string) => {
        stdout += text;
      });
      const exitCode = await new Promise((resolve) => child.once("close", resolve));
      return { exitCode, stdout };
    };

    const idle = oc(["exec", sandbox.id, "--", "echo done; exit 3"]);
    assert.deepEqual(await finished(idle), { exitCode: 3, stdout: "done\n" });

    const counting = oc(["exec", sandbox.id, "--", "wc", "-c"]);
    counting.stdin.end("x".repeat(500_000));
    assert.deepEqual(await finished(counting), { exitCode: 0, stdout: "500000\n" });

    const interrupted = oc([
      "exec",
      sandbox.id,
      "--",
      "trap 'exit 5' INT; echo up; sleep 600 & wait",
    ]);
    interrupted.stdout.once("data", () => interrupted.kill("SIGINT"));
    assert.equal((await finished(interrupted)).exitCode, 5);

    const detached = await finished(oc(["exec", sandbox.id, "--detach", "--", "sleep", "600"]));
    assert.equal(detached.exitCode, 0);
    const sessionId = detached.stdout.trim();
    const kill = ["exec", "kill", sandbox.id, sessionId, "--signal", "TERM"];
    assert.equal((await finished(oc(kill))).exitCode, 0);
    const attached = await finished(oc(["exec", "attach", sandbox.id, sessionId]));
    assert.deepEqual(attached, { exitCode: 143, stdout: "" });
  });
});
