import { rm } from "node:fs/promises";
import { z } from "zod";
import type { ProcessIdentity } from "../process/process-identity.ts";
import type { ProcessMonitor } from "../qmp/process-monitor.ts";
import { loadState } from "../saved-memory/load-state.ts";
import { saveMemory } from "../saved-memory/save-memory.ts";
import { type MachineAccess, qemuNames } from "./qemu-arguments.ts";
import { qemuDisk } from "./qemu-disk.ts";
import type { VirtualMachine } from "./virtual-machine.ts";
import { watchStorage } from "./watch-storage.ts";

const cpuSlotsSchema = z.array(
  z.object({
    type: z.string(),
    props: z.record(z.string(), z.number()),
    "qom-path": z.string().optional(),
  }),
);

/** Granularity of virtio-mem. */
const pluggedMemoryStepMB = 2;
const mebi = 1024 * 1024;

/** A machine whose saved state can still be loaded into it. */
export interface QemuMachine extends VirtualMachine {
  /** Loads the state of a machine that was paused from a source such as `fd:3`; it is paused afterwards. */
  loadState(source: string): Promise<void>;
}

/** Controls a machine through its monitor. */
export function qemuMachine(options: {
  process: ProcessIdentity;
  qmp: ProcessMonitor;
  access: MachineAccess;
  /** Kills the process, and returns when it has ended. */
  end: (process: ProcessIdentity) => Promise<unknown>;
}): QemuMachine {
  const { qmp, access } = options;
  const { baseMemoryMB, accelerator } = access.shape;

  let pausedAt = 0;
  /** Sum of the pauses since it was last paused, or since its save began. */
  let pauseMilliseconds = 0;
  qmp.onEvent("STOP", () => {
    pausedAt = performance.now();
  });
  qmp.onEvent("RESUME", () => {
    pauseMilliseconds += performance.now() - pausedAt;
  });

  /** Whether the worker wants it to run; QEMU may have stopped it all the same. */
  let mayRun = false;
  const storage = watchStorage(qmp, () => mayRun);

  const stop = () => qmp.execute("stop", {}, z.unknown());
  const go = () => qmp.execute("cont", {}, z.unknown());
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
    loadState: (source) => loadState(qmp, source),
    async save(files) {
      const isRunning = mayRun;
      mayRun = false;
      if (isRunning) pauseMilliseconds = 0;
      try {
        await saveMemory(qmp, {
          ...files,
          accelerator,
          isRunning,
          socketPath: `${access.qmpSocketPath}.state`,
          block: { name: qemuNames.memory, bytes: baseMemoryMB * mebi },
        });
      } catch (error) {
        if (isRunning) await this.resume();
        throw error;
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
      const bytes = await qmp.execute(
        "qom-get",
        { path: qemuNames.memoryDevice, property: "size" },
        z.number(),
      );
      return baseMemoryMB + bytes / mebi;
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
