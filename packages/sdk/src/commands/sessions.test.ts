import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Sandbox } from "../sandbox/sandbox.ts";
import { type ContractServer, startContractServer } from "../testing/start-contract-server.ts";

const decoder = new TextDecoder();

describe("command sessions", () => {
  let server: ContractServer;
  let sandbox: Sandbox;
  before(async () => {
    server = await startContractServer();
    sandbox = await Sandbox.create({ apiKey: server.apiKey, apiUrl: server.url });
  });
  after(() => server.close());

  test("start hands both streams on as they come, and wait gives the exit code", async () => {
    const said: string[] = [];
    const session = await sandbox.exec.start("echo out; echo err >&2; exit 7", {
      onStdout: (data) => void said.push(`out:${decoder.decode(data)}`),
      onStderr: (data) => void said.push(`err:${decoder.decode(data)}`),
    });
    assert.equal(await session.wait(), 7);
    assert.equal(await session.done, 7);
    assert.deepEqual(said.toSorted(), ["err:err\n", "out:out\n"]);
  });

  test("start passes args, env, cwd and timeout on", async () => {
    const options = { args: ["-c", "echo $1 $A; pwd", "x", "$A"], env: { A: "1" }, cwd: "/usr" };
    const session = await sandbox.exec.start("/bin/sh", options);
    let output = "";
    for await (const { data } of session) output += decoder.decode(data);
    assert.equal(output, "$A 1\n/usr\n");
    const late = await sandbox.exec.start("sleep 60", { timeout: 0.1 });
    assert.equal(await late.wait(), -1);
  });

  test("iteration gives the output in order and ends with it", async () => {
    const session = await sandbox.exec.start("echo one; sleep 0.1; echo two >&2");
    const chunks: string[] = [];
    for await (const { stream, data } of session) chunks.push(stream + decoder.decode(data));
    assert.deepEqual(chunks, ["stdoutone\n", "stderrtwo\n"]);
    assert.equal(await session.wait(), 0);
  });

  test("wait drops output that nobody takes", async () => {
    const session = await sandbox.exec.start("head -c 5000000 /dev/zero; exit 2");
    assert.equal(await session.wait(), 2);
  });

  test("sendStdin and endStdin feed the command", async () => {
    const parts: string[] = [];
    const session = await sandbox.exec.start("wc -c", {
      onStdout: (data) => void parts.push(decoder.decode(data)),
    });
    await session.sendStdin("grün\n");
    await session.sendStdin(new Uint8Array(300_000));
    await session.sendStdin("");
    await session.endStdin();
    assert.equal(await session.wait(), 0);
    assert.equal(parts.join("").trim(), "300006");
  });

  test("a slow handler gets all of it, one piece at a time", async () => {
    let bytes = 0;
    let inside = 0;
    const session = await sandbox.exec.start("head -c 8000000 /dev/zero", {
      async onStdout(data) {
        inside += 1;
        assert.equal(inside, 1);
        await new Promise((resolve) => setImmediate(resolve));
        bytes += data.length;
        inside -= 1;
      },
    });
    assert.equal(await session.wait(), 0);
    assert.equal(bytes, 8_000_000);
  });

  test("what a handler throws is what wait rejects with", async () => {
    const failure = new Error("no room");
    const session = await sandbox.exec.start("echo x; sleep 60", {
      onStdout() {
        throw failure;
      },
    });
    await assert.rejects(session.wait(), failure);
    await session.kill();
  });

  test("attach replays, reports the end of the replay, and continues; close leaves the command running", async () => {
    const first = await sandbox.exec.start("echo before; read -r line; echo after $line");
    for await (const { data } of first) {
      assert.equal(decoder.decode(data), "before\n");
      break;
    }
    first.close();
    await assert.rejects(first.wait(), { code: "connection_failed" });
    const said: string[] = [];
    const second = await sandbox.exec.attach(first.sessionId, {
      onStdout: (data) => void said.push(decoder.decode(data)),
      onReplayEnd: () => void said.push("|"),
    });
    assert.equal(second.info.running, true);
    await second.sendStdin("input\n");
    assert.equal(await second.wait(), 0);
    assert.deepEqual(said, ["before\n", "|", "after input\n"]);
  });

  test("attach reports the end of the replay to who iterates and to who only waits", async () => {
    const { sessionID } = await sandbox.exec.startDetached("echo before; sleep 60");
    const said: string[] = [];
    const onReplayEnd = () => void said.push("|");
    const iterated = await sandbox.exec.attach(sessionID, { onReplayEnd });
    for await (const { data } of iterated) {
      said.push(decoder.decode(data));
      if (said.includes("before\n")) await sandbox.exec.kill(sessionID);
    }
    assert.deepEqual(said, ["before\n", "|"]);
    const waited = await sandbox.exec.attach(sessionID, { onReplayEnd });
    assert.equal(await waited.wait(), 137);
    assert.deepEqual(said, ["before\n", "|", "|"]);
  });

  test("an error of onReplayEnd rejects", async () => {
    const { sessionID } = await sandbox.exec.startDetached("echo before");
    const error = new Error("not now");
    const session = await sandbox.exec.attach(sessionID, {
      onReplayEnd() {
        throw error;
      },
    });
    await assert.rejects(session.wait(), error);
  });

  test("a lost connection rejects and states how to attach again", async () => {
    const session = await sandbox.exec.start("sleep 60");
    const rejected = assert.rejects(session.wait(), {
      code: "connection_failed",
      message: /keeps running: attach to it again/,
    });
    server.dropSockets();
    await rejected;
    await assert.rejects(session.sendStdin("x"), { code: "connection_failed" });
    await sandbox.exec.kill(session.sessionId);
  });

  test("an aborted signal detaches", async () => {
    const controller = new AbortController();
    const session = await sandbox.exec.start("sleep 60", { signal: controller.signal });
    const reason = new Error("enough");
    controller.abort(reason);
    await assert.rejects(session.wait(), reason);
    assert.equal((await sandbox.exec.get(session.sessionId)).running, true);
    await sandbox.exec.kill(session.sessionId);
  });

  test("startDetached, list, get and kill", async () => {
    const options = { args: ["600"], maxRunAfterDisconnect: 5 };
    const info = await sandbox.exec.startDetached("sleep", options);
    assert.deepEqual([info.command, info.args, info.running], ["sleep", ["600"], true]);
    const listed = await sandbox.exec.list();
    assert.ok(listed.some(({ sessionID }) => sessionID === info.sessionID));
    await sandbox.exec.kill(info.sessionID, 15);
    const session = await sandbox.exec.attach(info.sessionID);
    assert.equal(await session.wait(), 143);
    assert.equal((await sandbox.exec.get(info.sessionID)).exitCode, 143);
    await sandbox.exec.kill(info.sessionID);
  });

  test("runAsync returns a quick result at once, and result returns a slow one", async () => {
    const quick = await sandbox.exec.runAsync("echo quick; exit 3");
    assert.deepEqual(quick, { running: false, exitCode: 3, stdout: "quick\n", stderr: "" });
    const waiting = await sandbox.exec.runAsync("echo begun; sleep 60");
    assert.ok(waiting.running);
    const progress = await sandbox.exec.result(waiting.execId);
    assert.deepEqual(progress, { running: true, stdout: "begun\n", stderr: "" });
    await sandbox.exec.kill(waiting.execId);
    let result = await sandbox.exec.result(waiting.execId);
    while (result.running) result = await sandbox.exec.result(waiting.execId);
    assert.equal(result.exitCode, 137);
  });

  test("an absent session is session_not_found, everywhere", async () => {
    const { exec } = sandbox;
    for (const call of [exec.attach, exec.get, exec.kill, exec.result]) {
      await assert.rejects(call("exec-0"), { code: "session_not_found", status: 404 });
    }
    await assert.rejects(exec.start("no-such-program", { args: [] }), {
      code: "command_not_found",
    });
  });

  test("the API key is in no URL", () => {
    assert.ok(!server.requests.some((line) => line.includes(server.apiKey)));
  });
});
