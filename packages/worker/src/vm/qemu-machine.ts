import { createWriteStream } from "node:fs";
import { chown, rm } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { pipeline } from "node:stream/promises";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { killProcess, type ProcessIdentity } from "../process/process-identity.ts";
import { type QemuLaunch, qemuNames } from "./qemu-arguments.ts";
import type { QmpClient } from "./qmp-client.ts";
import type { VirtualMachine } from "./virtual-machine.ts";

const statusSchema = z.object({ status: z.string() });
const migrationSchema = z.object({
  status: z.string().optional(),
  "error-desc": z.string().optional(),
});
const cpuSlotsSchema = z.array(
  z.object({
    type: z.string(),
    props: z.record(z.string(), z.number()),
    "qom-path": z.string().optional(),
  }),
);

/** Granularity of virtio-mem. */
const pluggedMemoryStepMB = 2;
const stateTimeoutSeconds = 60;
const mebi = 1024 * 1024;

/** A machine whose saved state can still be loaded into it. */
export interface QemuMachine extends VirtualMachine {
  /** Loads the state of a machine that was paused from a source such as `fd:3`; it stands paused. */
  loadState(source: string): Promise<void>;
}

/** The machine behind a monitor connection. */
export function qemuMachine(options: {
  process: ProcessIdentity;
  qmp: QmpClient;
  launch: QemuLaunch;
}): QemuMachine {
  const { qmp, launch } = options;
  const { baseMemoryMB } = launch.shape;

  /** Memory lies in a file of its own: the stream carries the devices only. */
  async function leaveMemoryOut(): Promise<void> {
    await qmp.execute(
      "migrate-set-capabilities",
      { capabilities: [{ capability: "x-ignore-shared", state: true }] },
      z.unknown(),
    );
  }

  async function waitUntil(
    isDone: () => Promise<boolean>,
    what: string,
    intervalMilliseconds: number,
  ): Promise<void> {
    const deadline = Date.now() + stateTimeoutSeconds * 1000;
    while (!(await isDone())) {
      if (Date.now() > deadline)
        throw new Error(`${what} took over ${stateTimeoutSeconds} seconds`);
      await delay(intervalMilliseconds);
    }
  }

  return {
    process: options.process,
    async pause() {
      await qmp.execute("stop", {}, z.unknown());
    },
    async resume() {
      await qmp.execute("cont", {}, z.unknown());
    },
    async loadState(source) {
      await leaveMemoryOut();
      await qmp.execute("migrate-incoming", { uri: source }, z.unknown());
      await waitUntil(
        async () => (await qmp.execute("query-status", {}, statusSchema)).status === "paused",
        "Loading a saved machine",
        3,
      );
    },
    async saveState(statePath) {
      await leaveMemoryOut();
      const socketPath = `${launch.qmpSocketPath}.state`;
      const received = receiveStream(socketPath, statePath, launch.userId);
      await received.listening;
      try {
        await qmp.execute("migrate", { uri: `unix:${socketPath}` }, z.unknown());
        await waitUntil(
          async () => {
            const migration = await qmp.execute("query-migrate", {}, migrationSchema);
            if (migration.status === "failed") {
              throw new Error(`QEMU could not save the machine: ${migration["error-desc"] ?? ""}`);
            }
            return migration.status === "completed";
          },
          "Saving a machine",
          10,
        );
        await received.written;
      } finally {
        received.close();
        await rm(socketPath, { force: true });
      }
    },
    async plugCpus(cpuCount) {
      const cpuSlots = await qmp.execute("query-hotpluggable-cpus", {}, cpuSlotsSchema);
      const present = cpuSlots.filter((slot) => slot["qom-path"] !== undefined).length;
      // QEMU lists them from the last to the first; guests number them from the first.
      const free = cpuSlots.filter((slot) => slot["qom-path"] === undefined).reverse();
      for (const [index, slot] of free.slice(0, Math.max(0, cpuCount - present)).entries()) {
        const id = `cpu${present + index}`;
        await qmp.execute("device_add", { driver: slot.type, id, ...slot.props }, z.unknown());
      }
    },
    async plugMemory(memoryMB) {
      const pluggedMB =
        Math.ceil((memoryMB - baseMemoryMB) / pluggedMemoryStepMB) * pluggedMemoryStepMB;
      await qmp.execute(
        "qom-set",
        {
          path: qemuNames.memoryDevice,
          property: "requested-size",
          value: Math.max(0, pluggedMB) * mebi,
        },
        z.unknown(),
      );
    },
    async currentMemoryMB() {
      const octets = await qmp.execute(
        "qom-get",
        { path: qemuNames.memoryDevice, property: "size" },
        z.number(),
      );
      return baseMemoryMB + octets / mebi;
    },
    async growDisk(diskMB) {
      await qmp.execute(
        "block_resize",
        { "node-name": qemuNames.disk, size: diskMB * mebi },
        z.unknown(),
      );
    },
    onEnd(callback) {
      qmp.onClose(callback);
    },
    async kill() {
      await killProcess(options.process);
      await rm(launch.qmpSocketPath, { force: true });
    },
    release() {
      qmp.disconnect();
    },
  };
}

/** Takes one connection on a Unix socket that this user may open, and writes all of it to a file. */
function receiveStream(
  socketPath: string,
  filePath: string,
  userId: number,
): { listening: Promise<void>; written: Promise<void>; close(): void } {
  const server = createServer();
  const connection = new Promise<Socket>((resolve, reject) => {
    server.once("connection", resolve);
    server.once("error", reject);
  });
  const written = connection.then((socket) =>
    pipeline(socket, createWriteStream(filePath, { mode: 0o600 })),
  );
  written.catch(() => server.close());
  const listening = new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(socketPath, () => chown(socketPath, userId, userId).then(resolve, reject));
  });
  return { listening, written, close: () => server.close() };
}
