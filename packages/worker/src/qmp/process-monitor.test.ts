import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { z } from "zod";
import { identifyProcess, type ProcessIdentity } from "../process/process-identity.ts";
import { monitorProcess, type ProcessMonitor } from "./process-monitor.ts";
import { connectQmp, QmpError } from "./qmp-client.ts";

const log = { warn: () => undefined };

describe("monitorProcess", () => {
  let directory: string;
  let socketPath: string;
  let child: ChildProcess;
  let process: ProcessIdentity;
  let server: Server;
  let sockets: Socket[];
  let monitor: ProcessMonitor;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "monitor-"));
    socketPath = join(directory, "qmp");
    child = spawn("sleep", ["1000"], { stdio: "ignore" });
    await once(child, "spawn");
    const found = await identifyProcess(child.pid ?? 0);
    process = found ?? assert.fail("the process lives");
    sockets = [];
  });
  afterEach(async () => {
    monitor.disconnect();
    child.kill("SIGKILL");
    for (const socket of sockets) socket.destroy();
    server.close();
    await rm(directory, { recursive: true });
  });

  /** A monitor that returns the number of its connection to each command. */
  async function listen(): Promise<void> {
    server = createServer((socket) => {
      const count = sockets.push(socket);
      socket.on("error", () => socket.destroy());
      socket.write('{"QMP": {}}\n');
      socket.on("data", (bytes) => {
        for (const line of bytes.toString().trim().split("\n")) {
          const { id } = z.object({ id: z.int() }).parse(JSON.parse(line));
          socket.write(`{"return": ${count}, "id": ${id}}\n`);
        }
      });
    });
    server.listen(socketPath);
    await once(server, "listening");
  }
  async function monitored(): Promise<ProcessMonitor> {
    await listen();
    const connection = await connectQmp(socketPath, { timeoutSeconds: 5 });
    return monitorProcess({ process, socketPath, connection, log });
  }
  const query = () => monitor.execute("query", {}, z.number());

  test("a connection that breaks is followed by another one, and ends nothing", async () => {
    monitor = await monitored();
    let ends = 0;
    monitor.onClose(() => {
      ends += 1;
    });
    const reconnected = new Promise<void>((resolve) => monitor.onReconnect(resolve));
    assert.equal(await query(), 1);
    sockets[0]?.destroy();
    await reconnected;
    assert.equal(await query(), 2);
    assert.equal(ends, 0);
  });

  test("what was under way on a broken connection fails, and the next command works", async () => {
    monitor = await monitored();
    server.removeAllListeners("connection");
    sockets[0]?.removeAllListeners("data");
    const lost = query();
    server.close();
    sockets[0]?.destroy();
    await assert.rejects(lost, QmpError);
    const waiting = query();
    await listen();
    assert.equal(await waiting, 2);
  });

  test("events of a later connection reach who listened before", async () => {
    monitor = await monitored();
    const heard: unknown[] = [];
    monitor.onEvent("STOP", (data) => heard.push(data));
    const stopListening = monitor.onEvent("STOP", () => assert.fail());
    const reconnected = new Promise<void>((resolve) => monitor.onReconnect(resolve));
    stopListening();
    sockets[0]?.destroy();
    await reconnected;
    sockets[1]?.write('{"event": "STOP", "data": 1}\n');
    await query();
    assert.deepEqual(heard, [1]);
  });

  test("a garbled message costs the connection and not the machine", async () => {
    monitor = await monitored();
    monitor.onClose(assert.fail);
    const reconnected = new Promise<void>((resolve) => monitor.onReconnect(resolve));
    sockets[0]?.write("no json\n");
    await reconnected;
    assert.equal(await query(), 2);
  });

  test("the end of the process is the end", async () => {
    monitor = await monitored();
    const ended = new Promise<void>((resolve) => monitor.onClose(resolve));
    child.kill("SIGKILL");
    await once(child, "exit");
    sockets[0]?.destroy();
    await ended;
    await assert.rejects(query(), /QEMU has ended/);
    await new Promise<void>((resolve) => monitor.onClose(resolve));
  });

  test("without a first connection it finds one, and commands wait for it", async () => {
    monitor = monitorProcess({ process, socketPath, connection: undefined, log });
    const waiting = query();
    await listen();
    assert.equal(await waiting, 1);
  });

  test("a monitor that accepts and sends nothing makes commands fail in time, and ends nothing", async () => {
    server = createServer((socket) => void sockets.push(socket));
    server.listen(socketPath);
    await once(server, "listening");
    const patienceMilliseconds = 50;
    const options = { process, socketPath, connection: undefined, patienceMilliseconds, log };
    monitor = monitorProcess(options);
    monitor.onClose(() => assert.fail());
    await assert.rejects(query(), /did not respond for 0.05 seconds/);
    await assert.rejects(query(), /did not respond/);
  });

  test("after a disconnect nothing connects again, and no end is reported", async () => {
    monitor = await monitored();
    monitor.onClose(assert.fail);
    monitor.disconnect();
    await assert.rejects(query(), /was closed/);
    child.kill("SIGKILL");
    await once(child, "exit");
    assert.equal(sockets.length, 1);
  });
});
