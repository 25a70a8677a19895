import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, describe, test } from "node:test";
import { connectServiceManager } from "./service-manager.ts";
import { until } from "./testing/until.ts";

/** A manager's socket; systemd-notify may send a descriptor to wait on in a separate message. */
const managerProgram = `
import socket, sys
server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
server.bind(sys.argv[1])
while True:
    data, descriptors, _, _ = socket.recv_fds(server, 4096, 4)
    for descriptor in descriptors: socket.close(descriptor)
    print(data.decode(), flush=True)
`;

describe("connectServiceManager", () => {
  let directory: string;
  let socketPath: string;
  let manager: ChildProcess;
  let received = "";
  const notes: string[] = [];
  const lines = () =>
    received.split("\n").filter((line) => /^(READY|WATCHDOG|STOPPING)=/.test(line));

  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "service-manager-"));
    socketPath = join(directory, "notify");
    manager = spawn("python3", ["-c", managerProgram, socketPath], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    manager.stdout?.on("data", (chunk: Buffer) => {
      received += chunk.toString();
    });
    await until("the manager listens", () => existsSync(socketPath));
  });
  beforeEach(() => {
    received = "";
    notes.length = 0;
  });
  after(async () => {
    const ended = once(manager, "exit");
    manager.kill();
    await ended;
    await rm(directory, { recursive: true });
  });
  const connect = (environment: NodeJS.ProcessEnv, isAlive = async () => true) =>
    connectServiceManager({ environment, isAlive, onNote: (text) => notes.push(text) });

  test("reports ready, then alive, then stopping; and no child inherits the socket", async () => {
    const environment = { PATH: "/bin", NOTIFY_SOCKET: socketPath, WATCHDOG_USEC: "300000" };
    const service = connect(environment);
    assert.deepEqual(environment, { PATH: "/bin" });
    await service.ready();
    await until("it was alive twice", () => lines().length >= 3);
    await service.stopping();
    await until("it stops", () => lines().includes("STOPPING=1"));
    assert.deepEqual(lines().slice(0, 3), ["READY=1", "WATCHDOG=1", "WATCHDOG=1"]);
    assert.deepEqual(notes, []);
  });

  test("does not report a service as alive whose API does not respond", async () => {
    const environment = { NOTIFY_SOCKET: socketPath, WATCHDOG_USEC: "60000" };
    const service = connect(environment, async () => false);
    await service.ready();
    await until("it was asked twice", () => notes.length >= 2);
    await service.stopping();
    await until("it stops", () => lines().includes("STOPPING=1"));
    assert.deepEqual(lines(), ["READY=1", "STOPPING=1"]);
  });

  test("without a manager nothing is sent; a manager that was removed is a note, not a failure", async () => {
    await connect({}).ready();
    assert.deepEqual(notes, []);
    await connect({ NOTIFY_SOCKET: join(directory, "absent") }).ready();
    assert.match(notes[0] ?? "", /READY=1 could not be sent/);
  });
});
