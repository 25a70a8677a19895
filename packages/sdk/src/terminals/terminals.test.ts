import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Sandbox } from "../sandbox/sandbox.ts";
import { type ContractServer, startContractServer } from "../testing/start-contract-server.ts";

const size = { cols: 80, rows: 24 };
const decoder = new TextDecoder();

describe("terminals", () => {
  let server: ContractServer;
  let sandbox: Sandbox;
  before(async () => {
    server = await startContractServer();
    sandbox = await Sandbox.create({ apiKey: server.apiKey, apiUrl: server.url });
  });
  after(() => server.close());

  test("create shows what is typed and printed, and exited is the exit code", async () => {
    let shown = "";
    const terminal = await sandbox.pty.create({
      ...size,
      onOutput(data) {
        shown += decoder.decode(data);
      },
    });
    await terminal.send("echo $TERM\r");
    await terminal.send(new TextEncoder().encode("exit 7\n"));
    assert.equal(await terminal.exited, 7);
    assert.equal(await terminal.wait(), 7);
    assert.match(shown, /echo \$TERM\r.*xterm-256color\n/s);
    await assert.rejects(async () => {
      for await (const _ of terminal) assert.fail("onOutput has it");
    }, /onOutput/);
  });

  test("iteration gives the output and ends with it; an attach replays it", async () => {
    const terminal = await sandbox.pty.create({ ...size, shell: "sh" });
    await terminal.send("echo gr\u00fcn; exit 3\n");
    const read = async (from: AsyncIterable<Uint8Array>) => {
      const parts: Uint8Array[] = [];
      for await (const data of from) parts.push(data);
      return Buffer.concat(parts).toString();
    };
    const shown = await read(terminal);
    assert.match(shown, /\ngr\u00fcn\n$/);
    assert.equal(await terminal.exited, 3);
    const again = await sandbox.pty.attach(terminal.sessionId);
    assert.equal(await read(again), shown);
    assert.equal(await again.exited, 3);
    const { running, exitCode } = await sandbox.pty.get(terminal.sessionId);
    assert.deepEqual([running, exitCode], [false, 3]);
  });

  test("close and a lost connection leave the terminal running, and name how to attach again", async () => {
    const first = await sandbox.pty.create(size);
    first.close();
    await assert.rejects(first.exited, { code: "connection_failed", message: /detached/ });
    await assert.rejects(first.send("x"), { code: "connection_failed" });
    const second = await sandbox.pty.attach(first.sessionId);
    const lost = assert.rejects(second.exited, { message: /keeps running: attach to it again/ });
    server.dropSockets();
    await lost;
    const listed = await sandbox.pty.list();
    assert.ok(listed.some((one) => one.sessionID === first.sessionId && one.running));
  });

  test("resize and kill, by the terminal and by its id", async () => {
    const terminal = await sandbox.pty.create(size);
    await terminal.resize(100, 30);
    const { cols, rows } = await sandbox.pty.get(terminal.sessionId);
    assert.deepEqual([cols, rows], [100, 30]);
    await assert.rejects(terminal.resize(0, 30), { code: "invalid_request" });
    await assert.rejects(sandbox.pty.create({ cols: 80, rows: 10_000 }), { status: 400 });
    await assert.rejects(sandbox.pty.create({ ...size, shell: "no-such" }), {
      code: "command_not_found",
    });
    await terminal.kill();
    assert.equal(await terminal.exited, 129);
    await assert.rejects(sandbox.pty.attach(terminal.sessionId), { code: "session_not_found" });
  });

  test("what onOutput throws is what exited rejects with; a signal detaches", async () => {
    const failure = new Error("no room");
    const terminal = await sandbox.pty.create({
      ...size,
      onOutput() {
        throw failure;
      },
    });
    await terminal.send("x\n");
    await assert.rejects(terminal.exited, failure);
    const controller = new AbortController();
    const again = await sandbox.pty.attach(terminal.sessionId, { signal: controller.signal });
    controller.abort(failure);
    await assert.rejects(again.exited, failure);
    await sandbox.pty.kill(terminal.sessionId);
  });
});
