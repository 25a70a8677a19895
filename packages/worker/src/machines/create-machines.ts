import { randomBytes } from "node:crypto";
import { mkdir, open, rm, stat, truncate } from "node:fs/promises";
import type { Tracer } from "@opencomputer/process";
import { agentPort, WireError } from "@opencomputer/protocol/api";
import { serviceLimits } from "@opencomputer/protocol/wire";
import type { Layers } from "../disks/create-layers.ts";
import { openImage } from "../disks/import-image.ts";
import { syncPath } from "../files/durable-files.ts";
import { writeRecord } from "../files/record-kind.ts";
import { createAgentClient } from "../guest/agent-client.ts";
import type { ByteBudget } from "../guest/guest-bounds.ts";
import { traceAgent } from "../guest/traced-agent.ts";
import type { Host } from "../host-calls/host.ts";
import type { Slots } from "../network/create-slots.ts";
import type { Slot } from "../network/slot.ts";
import { hasCode } from "../process/process-identity.ts";
import { type Accelerator, type MachineShape, shapeOf } from "../vm/machine-shape.ts";
import type { Hypervisor, MachineSize, VirtualMachine } from "../vm/virtual-machine.ts";
import { createMachineAdoption, type MachineAdoption } from "./adopt-machines.ts";
import { layerOwnerOf, type Machine, machinePaths, makeSocketDirectory } from "./machine.ts";
import { type MachineRecord, machineRecordKind } from "./machine-record.ts";
import type { Origin } from "./origin.ts";
import { createRunningDisk, type RunningDisk } from "./running-disk.ts";

export interface Machines extends RunningDisk, MachineAdoption {
  /**
   * Makes a machine in a closed slot. It is paused: where the saved one was, or
   * before it boots. One whose memory cannot be loaded boots.
   */
  make(origin: Origin): Promise<Machine>;
  /** Replaces a machine's record on the disk. */
  save(machine: Machine, record: MachineRecord): Promise<void>;
  /** Limits what the machine takes of the host. */
  limit(
    machine: Machine,
    /** `cpuPercent` of the CPUs' time, 100 for each; absent or null for all of it. */
    size: MachineSize & { cpuPercent?: number | null },
    isBackground: boolean,
  ): Promise<void>;
  /** Ends a machine and removes all that it held. One that was discarded already is no error. */
  discard(machine: Machine): Promise<void>;
  /** The end of what the machine's process printed. */
  lastMessages(machine: Machine): Promise<string>;
  /** Empties a log that has grown over its limit. */
  trimLog(machine: Machine): Promise<void>;
}

/** What QEMU needs besides the guest's memory: its own, translated code, and disk pages in flight. */
const overheadMemoryMB = 512;
/** CPU time besides the guest's CPUs, for disk and network. */
const overheadCpuPercent = 50;

export function createMachines(deps: {
  hypervisor: Hypervisor;
  slots: Slots;
  host: Pick<
    Host,
    "giveLayer" | "hideLayers" | "limitMachine" | "removeGroup" | "removeGroupsBut" | "showLayers"
  >;
  budget: ByteBudget;
  layers: Layers;
  fingerprintOf: (shape: MachineShape) => string;
  /** What a machine that boots is given on this host. */
  processorModelOf: (accelerator: Accelerator) => string;
  directories: { machines: string; images: string; sockets: string };
  tracer: Tracer;
  log: {
    warn(details: object, message: string): void;
    error(details: object, message: string): void;
  };
}): Machines {
  const { hypervisor, slots, host, layers, directories, tracer } = deps;
  const { directoryOf, recordPath, socketDirectoryOf, socketPath, logPath } =
    machinePaths(directories);

  /** Adds the client of its agent, which is closed when the machine ends: nothing would refuse a call then. */
  function machineOf(parts: Omit<Machine, "agent">): Machine {
    const origin = `http://${parts.slot.slotAddress}:${agentPort}`;
    const agent = traceAgent(tracer, createAgentClient({ origin, budget: deps.budget }));
    parts.vm?.onEnd(() => void agent.close());
    return { ...parts, agent };
  }

  /** Why it has to boot although its memory was saved; null when its memory may be loaded. */
  function reasonToBoot(origin: Origin): string | null {
    if (origin.memory === null) return origin.lostBecause;
    const known = deps.fingerprintOf(origin);
    return origin.memory.machineFingerprint === known
      ? null
      : "its memory was saved by another version of QEMU, or on another processor";
  }

  /** Starts a machine whose newest layer exists; with its memory, or to boot. */
  async function launch(
    id: string,
    slot: Slot,
    origin: Origin,
    layerId: string,
  ): Promise<VirtualMachine> {
    const image = await openImage(directories.images, origin.imageFingerprint);
    const { memory } = origin;
    return hypervisor.start({
      start: {
        machineId: id,
        slotIndex: slot.index,
        shape: shapeOf(origin),
        imageFingerprint: image.fingerprint,
        kernelCommandLine: image.kernelCommandLine,
        savedDirectory: memory?.directory ?? null,
        disk: {
          kind: "layers",
          goldenFingerprint: origin.disk.goldenFingerprint,
          newestLayer: layerId,
        },
      },
      access: { shape: origin, qmpSocketPath: socketPath(id) },
      cpuCount: memory?.cpuCount ?? 1,
      logPath: logPath(id),
    });
  }

  /** Starts it with its memory when that can be loaded; otherwise boots it, and returns why. */
  async function launchAnyhow(id: string, slot: Slot, origin: Origin, layerId: string) {
    // Only memory needs the processor that it was saved with; this host may lack features of it.
    const processorModel = deps.processorModelOf(origin.accelerator);
    const toBoot = { ...origin, memory: null, processorModel };
    const reason = reasonToBoot(origin);
    if (reason !== null) {
      return { vm: await launch(id, slot, toBoot, layerId), origin: toBoot, lostBecause: reason };
    }
    try {
      return { vm: await launch(id, slot, origin, layerId), origin, lostBecause: null };
    } catch (error) {
      // That it was killed does not mean that its memory cannot be loaded: the next try may load it.
      if (origin.memory === null || error instanceof WireError) throw error;
      deps.log.warn(
        { machineId: id, err: error },
        "A saved memory cannot be loaded; the machine boots",
      );
      const vm = await launch(id, slot, toBoot, layerId);
      return { vm, origin: toBoot, lostBecause: "its saved memory could not be loaded" };
    }
  }

  async function removeHeld(id: string, slot: Slot): Promise<void> {
    await slots.close(slot);
    await host.removeGroup(id);
    await rm(socketDirectoryOf(id), { recursive: true, force: true });
    // A record never outlives the layers that it names.
    await rm(recordPath(id), { force: true });
    await syncPath(directoryOf(id)).catch((error: unknown) => {
      if (!hasCode(error, "ENOENT")) throw error;
    });
    await host.hideLayers(id);
    await layers.hold(layerOwnerOf(id), []);
    await rm(directoryOf(id), { recursive: true, force: true });
  }

  async function save(machine: Machine, record: MachineRecord): Promise<void> {
    await writeRecord(recordPath(machine.id), machineRecordKind, record);
    machine.record = record;
  }

  return {
    async make(origin) {
      const id = randomBytes(8).toString("hex");
      // First of all: their present owner may release the layers at any moment.
      const holding = layers.hold(layerOwnerOf(id), origin.disk.layers);
      const slot = await holding
        .then(() => mkdir(directoryOf(id), { recursive: true }))
        .then(() => syncPath(directories.machines))
        .then(() => slots.open())
        .catch(async (error: unknown) => {
          await layers.hold(layerOwnerOf(id), []);
          await rm(directoryOf(id), { recursive: true, force: true });
          throw error;
        });
      let vm: VirtualMachine | undefined;
      try {
        const { emptyLayerPath, disk } = origin;
        const newest = await layers.add(layerOwnerOf(id), emptyLayerPath, disk);
        await host.showLayers(id, [newest, ...disk.layers]);
        await makeSocketDirectory(socketDirectoryOf(id));
        const launched = await launchAnyhow(id, slot, origin, newest);
        vm = launched.vm;
        const { imageFingerprint, baseMemoryMB, memory } = launched.origin;
        const record: MachineRecord = {
          id,
          process: vm.process,
          slotIndex: slot.index,
          ...shapeOf(launched.origin),
          imageFingerprint,
          cpuCount: memory?.cpuCount ?? 1,
          memoryMB: memory?.memoryMB ?? baseMemoryMB,
          diskMB: disk.sizeMB,
          hasMemory: memory !== null,
          isFresh: origin.isFresh,
          isContinuation: origin.sandboxId !== null,
          lostBecause: launched.lostBecause,
          disk: { ...disk, layers: [newest, ...disk.layers] },
          sandbox: null,
          machineId: null,
          startedAtUnixMilliseconds: null,
          hookError: null,
          phase: "prepared",
        };
        return machineOf({ id, slot, vm, record });
      } catch (error) {
        await vm?.kill();
        await removeHeld(id, slot);
        throw error;
      }
    },

    ...createRunningDisk({ layers, host, save }),

    save,

    async limit(machine, size, isBackground) {
      await host.limitMachine(machine.id, {
        cpuPercent: (size.cpuPercent ?? size.cpuCount * 100) + overheadCpuPercent,
        memoryMB: size.memoryMB + overheadMemoryMB,
        isBackground,
      });
    },

    async discard(machine) {
      await machine.agent.close();
      await machine.vm?.kill();
      await removeHeld(machine.id, machine.slot);
    },

    async lastMessages(machine) {
      const file = await open(logPath(machine.id), "r");
      try {
        const { size } = await file.stat();
        const tail = Buffer.alloc(Math.min(size, 2000));
        await file.read(tail, 0, tail.length, size - tail.length);
        return tail.toString("utf8").trim();
      } finally {
        await file.close();
      }
    },

    async trimLog(machine) {
      const { size } = await stat(logPath(machine.id));
      if (size > serviceLimits.machineLogBytesMax) await truncate(logPath(machine.id));
    },

    ...createMachineAdoption({
      ...{ hypervisor, slots, host, layers, machineOf, save },
      directories,
      log: deps.log,
    }),
  };
}
