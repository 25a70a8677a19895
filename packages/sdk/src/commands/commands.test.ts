import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Sandbox } from "../sandbox/sandbox.ts";
import { type ContractServer, startContractServer } from "../testing/start-contract-server.ts";

describe("exec.run", () => {
  let server: ContractServer;
  let sandbox: Sandbox;
  before(async () => {
    server = await startContractServer();
    sandbox = await Sandbox.create({ apiKey: server.apiKey, apiUrl: server.url });
  });
  after(() => server.close());

  test("runs a script and keeps stdout, stderr and exit code apart", async () => {
    const result = await sandbox.exec.run("echo out; echo err >&2; exit 3");
    assert.deepEqual(result, { exitCode: 3, stdout: "out\n", stderr: "err\n" });
  });

  test("with args interprets nothing", async () => {
    const result = await sandbox.commands.run("printf", { args: ["%s\n", "$HOME; `id`", "*"] });
    assert.equal(result.stdout, "$HOME; `id`\n*\n");
  });

  test("passes env, envs (which win), cwd and timeout on", async () => {
    const env = { ONE: "env", TWO: "env" };
    const result = await sandbox.exec.run('echo "$ONE $TWO $PWD"', {
      ...{ env, envs: { TWO: "envs" }, cwd: "/usr" },
    });
    assert.equal(result.stdout, "env envs /usr\n");
    const late = await sandbox.exec.run("exec sleep 60", { timeout: 0.1 });
    assert.equal(late.exitCode, -1);
    assert.match(late.stderr, /\nProcess timed out$/);
  });

  test("refuses a program that does not exist, and a malformed variable", async () => {
    await assert.rejects(sandbox.exec.run("no-such-program", { args: ["x"] }), {
      code: "command_not_found",
    });
    await assert.rejects(sandbox.exec.run("true", { envs: { "not a name": "x" } }), {
      code: "invalid_request",
    });
  });

  test("is sent again with its key when the response is lost, and runs once", async () => {
    const { exec } = sandbox;
    const file = `${(await exec.run("mktemp -d")).stdout.trim()}/count`;
    const cmd = `echo ran >> ${file}; cat ${file}`;
    for (const call of [
      async () => (await exec.run(cmd)).stdout,
      async () => await new Response((await exec.runAsync(cmd)).running ? "late" : "ran\n").text(),
      async () => {
        const info = await exec.startDetached(cmd);
        return (await exec.attach(info.sessionID)).wait().then(() => "ran\n");
      },
    ]) {
      await exec.run(`rm -f ${file}`);
      const keys: unknown[] = [];
      server.requests.length = 0;
      server.loseNextResponse("/exec", (request) => keys.push(request.headers["idempotency-key"]));
      assert.equal(await call(), "ran\n");
      assert.equal((await exec.run(`cat ${file}`)).stdout, "ran\n");
      assert.deepEqual(keys.length, 1);
      assert.match(String(keys[0]), /^[0-9a-f]{32}$/);
    }
  });

  test("a key of the caller's gives the same result, and refuses another command", async () => {
    const options = { idempotencyKey: "deploy-1" };
    const first = await sandbox.exec.run("date +%N", options);
    assert.deepEqual(await sandbox.exec.run("date +%N", options), first);
    await assert.rejects(sandbox.exec.run("true", options), {
      ...{ code: "idempotency_key_reused", status: 422 },
    });
    await assert.rejects(sandbox.exec.run("true", { idempotencyKey: "a b" }), {
      code: "invalid_request",
    });
    const [one, other] = [await sandbox.exec.run("date +%N"), await sandbox.exec.run("date +%N")];
    assert.notEqual(one.stdout, other.stdout);
  });

  test("ends with its signal", async () => {
    const controller = new AbortController();
    server.interceptNext(() => controller.abort(new Error("enough")));
    await assert.rejects(sandbox.exec.run("true", { signal: controller.signal }), /enough/);
  });

  test("returns 10 MB of output whole", async () => {
    const result = await sandbox.exec.run("head -c 10000000 /dev/zero | tr '\\0' x");
    assert.equal(result.stdout.length, 10_000_000);
  });
});
