import { rm } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import type { ProcessIdentity } from "../process/process-identity.ts";
import { receiveState, type StateReceiver } from "../saved-state/receive-state.ts";
import type { ProcessMonitor } from "./process-monitor.ts";
import { type MachineAccess, qemuNames } from "./qemu-arguments.ts";
import { qemuDisk } from "./qemu-disk.ts";
import type { VirtualMachine } from "./virtual-machine.ts";
import { watchStorage } from "./watch-storage.ts";

const statusSchema = z.object({ status: z.string() });
const migrationSchema = z.object({
  status: z.string().optional(),
  "error-desc": z.string().optional(),
  ram: z.object({ "dirty-sync-count": z.int() }).optional(),
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
const stateTimeoutSeconds = 600;
const mebi = 1024 * 1024;
const bandwidthBytesMax = 2 ** 40;
/** A second. Memory of nothing but zeros takes half a minute. */
const beginningBandwidthBytes = 64 * 1024;
/**
 * A running machine is paused for its last changes when they take this long.
 * Emulated CPUs of QEMU before 9.0 go on writing unseen to a page whose changes
 * were collected once: with 0 they are collected only as the save begins and
 * when it ends, both times while the CPUs stand still.
 */
const pauseMillisecondsTargets = { kvm: 20, tcg: 0 } as const;
/** A machine whose memory changes faster than it is saved is paused after so long. */
const liveSeconds = 20;
/** How a machine stands whose state was loaded; it may have been saved while it lacked storage. */
const standingStates: ReadonlySet<string> = new Set(["paused", "io-error"]);
const endedMigrations: ReadonlySet<string> = new Set(["none", "completed", "cancelled", "failed"]);

/** A machine whose saved state can still be loaded into it. */
export interface QemuMachine extends VirtualMachine {
  /** Loads the state of a machine that was paused from a source such as `fd:3`; it stands paused. */
  loadState(source: string): Promise<void>;
}

/** The machine behind a monitor. */
export function qemuMachine(options: {
  process: ProcessIdentity;
  qmp: ProcessMonitor;
  access: MachineAccess;
  /** Kills the process, and returns when it is gone. */
  end: (process: ProcessIdentity) => Promise<unknown>;
}): QemuMachine {
  const { qmp, access } = options;
  const { baseMemoryMB, accelerator } = access.shape;

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

  let pausedAt = 0;
  /** Of all pauses since it was last paused, or began to be saved. */
  let pauseMilliseconds = 0;
  qmp.onEvent("STOP", () => {
    pausedAt = performance.now();
  });
  qmp.onEvent("RESUME", () => {
    pauseMilliseconds += performance.now() - pausedAt;
  });

  /** Whether the worker has let it run, whatever QEMU makes of that. */
  let mayRun = false;
  const storage = watchStorage(qmp, () => mayRun);

  const stop = () => qmp.execute("stop", {}, z.unknown());
  const go = () => qmp.execute("cont", {}, z.unknown());
  const queryMigration = () => qmp.execute("query-migrate", {}, migrationSchema);

  const tuneMigration = (parameters: { "max-bandwidth"?: number; "downtime-limit"?: number }) =>
    qmp.execute("migrate-set-parameters", parameters, z.unknown());

  /**
   * The machine stands still until QEMU notes what it changes. The save must
   * not come to its end meanwhile: the machine would run on after what was saved.
   */
  async function beginWhileStill(uri: string): Promise<void> {
    await tuneMigration({ "max-bandwidth": beginningBandwidthBytes });
    await stop();
    try {
      await qmp.execute("migrate", { uri }, z.unknown());
      await waitUntil(
        async () => {
          const { status, ram } = await queryMigration();
          return (ram?.["dirty-sync-count"] ?? 0) > 0 || endedMigrations.has(status ?? "");
        },
        "The beginning of a save",
        1,
      );
    } finally {
      await go();
    }
    if ((await queryMigration()).status === "completed") {
      throw new Error("The machine was saved before it went on");
    }
    await tuneMigration({ "max-bandwidth": bandwidthBytesMax });
  }

  /** Sends the whole state; the machine is paused in the end, or for long if it changes too fast. */
  async function migrate(
    uri: string,
    receiver: StateReceiver,
    { isRunning }: { isRunning: boolean },
  ): Promise<void> {
    await tuneMigration({
      "max-bandwidth": bandwidthBytesMax,
      "downtime-limit": pauseMillisecondsTargets[accelerator],
    });
    const pauseAt = Date.now() + liveSeconds * 1000;
    if (isRunning && accelerator === "tcg") await beginWhileStill(uri);
    else await qmp.execute("migrate", { uri }, z.unknown());
    let isPaused = false;
    await waitUntil(
      async () => {
        const migration = await queryMigration();
        if (migration.status === "failed" || migration.status === "cancelled") {
          const description = migration["error-desc"] ?? migration.status;
          // What went wrong on this side before says more than the connection that QEMU lost.
          receiver.fail(new Error(`QEMU could not save the machine: ${description}`));
          await receiver.received;
          throw new Error(`QEMU could not save the machine: ${description}`);
        }
        if (!isPaused && Date.now() > pauseAt) {
          isPaused = true;
          await stop();
        }
        return migration.status === "completed";
      },
      "Saving a machine",
      2,
    );
    await receiver.received;
  }

  async function cancelMigration(): Promise<void> {
    await qmp.execute("migrate_cancel", {}, z.unknown());
    await waitUntil(
      async () => {
        const { status } = await queryMigration();
        return status === undefined || endedMigrations.has(status);
      },
      "Giving up a save",
      5,
    );
  }

  return {
    process: options.process,
    lacksStorage: storage.isLacking,
    async pause() {
      mayRun = false;
      pauseMilliseconds = 0;
      await stop();
    },
    async resume() {
      mayRun = true;
      await go();
    },
    async loadState(source) {
      await qmp.execute("migrate-incoming", { uri: source }, z.unknown());
      await waitUntil(
        async () =>
          standingStates.has((await qmp.execute("query-status", {}, statusSchema)).status),
        "Loading a saved machine",
        3,
      );
    },
    async save({ memoryPath, statePath }) {
      const socketPath = `${access.qmpSocketPath}.state`;
      const receiver = await receiveState({
        socketPath,
        memoryPath,
        statePath,
        block: { name: qemuNames.memory, bytes: baseMemoryMB * mebi },
      });
      const wasRunning = mayRun;
      mayRun = false;
      if (wasRunning) pauseMilliseconds = 0;
      try {
        await migrate(`unix:${socketPath}`, receiver, { isRunning: wasRunning });
      } catch (error) {
        await cancelMigration();
        if (wasRunning) await this.resume();
        throw error;
      } finally {
        await receiver.close();
      }
    },
    lastPauseMilliseconds: () => pauseMilliseconds,
    ...qemuDisk(qmp),
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
    onEnd(callback) {
      qmp.onClose(callback);
    },
    async kill() {
      await options.end(options.process);
      await rm(access.qmpSocketPath, { force: true });
    },
    release() {
      qmp.disconnect();
    },
  };
}
