import { randomBytes } from "node:crypto";
import { mkdir, open, readdir, rm, stat, truncate } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { basename, join } from "node:path";
import { agentPort, WireError } from "@opencomputer/protocol/api";
import { serviceLimits } from "@opencomputer/protocol/wire";
import pLimit from "p-limit";
import type { Layers } from "../disks/create-layers.ts";
import { openImage } from "../disks/import-image.ts";
import { syncPath } from "../files/durable-files.ts";
import { monitorSocketName } from "../files/host-paths.ts";
import { readRecord, writeRecord } from "../files/record-kind.ts";
import { createAgentClient } from "../guest/agent-client.ts";
import type { ByteBudget } from "../guest/guest-bounds.ts";
import type { Host } from "../host-calls/host.ts";
import type { Slots } from "../network/create-slots.ts";
import type { Slot } from "../network/slot.ts";
import { hasCode } from "../process/process-identity.ts";
import { type Accelerator, type MachineShape, shapeOf } from "../vm/machine-shape.ts";
import type { MachineAccess } from "../vm/qemu-arguments.ts";
import type { Hypervisor, MachineSize, VirtualMachine } from "../vm/virtual-machine.ts";
import { layerOwnerOf, type Machine, makeSocketDirectory } from "./machine.ts";
import { type MachineRecord, machineRecordKind } from "./machine-record.ts";
import type { Origin } from "./origin.ts";
import { createRunningDisk, type RunningDisk, writesInto } from "./running-disk.ts";

export interface AdoptedMachines {
  readonly machines: readonly Machine[];
  /** Directories of those that cannot be adopted. */
  readonly unreadable: readonly string[];
}

export interface Machines extends RunningDisk {
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
  /**
   * Adopts the sandboxes' machines of an earlier worker, whether they still run
   * or have ended, and loads the rules of their slots again. Everything else that
   * the installation has on the host and that no sandbox owns is removed.
   * A machine that cannot be adopted, such as one whose record cannot be read,
   * is left as it is, running or not, with everything that may belong to it.
   */
  adopt(): Promise<AdoptedMachines>;
  /** Ends the machines of this installation, except those with these process ids and those that were left as they are. */
  killOthers(kept: ReadonlySet<number>): Promise<void>;
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
  log: {
    warn(details: object, message: string): void;
    error(details: object, message: string): void;
  };
}): Machines {
  const { hypervisor, slots, host, layers, directories } = deps;
  const directoryOf = (id: string) => join(directories.machines, id);
  const recordPath = (id: string) => join(directoryOf(id), "machine.json");
  const socketDirectoryOf = (id: string) => join(directories.sockets, id);
  const socketPath = (id: string) => join(socketDirectoryOf(id), monitorSocketName);
  const logPath = (id: string) => join(directoryOf(id), "qemu.log");

  /** Machines that could not be adopted. */
  const leftAlone = new Set<string>();

  /** Adds the client of its agent, which is closed when the machine ends: nothing would refuse a call then. */
  function machineOf(parts: Omit<Machine, "agent">): Machine {
    const agent = createAgentClient({
      origin: `http://${parts.slot.slotAddress}:${agentPort}`,
      budget: deps.budget,
    });
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

  /** Connects to a machine of an earlier worker, also while its monitor does not respond. */
  async function attach(record: MachineRecord, access: MachineAccess, layerPath: string) {
    const vm = await hypervisor.attach({ process: record.process, access });
    if (vm === undefined) return { vm, isAhead: false };
    try {
      return { vm, isAhead: !(await writesInto(vm, layerPath)) };
    } catch (error) {
      // An empty layer that is listed and was not added changes nothing.
      deps.log.warn({ machineId: record.id, err: error }, "A machine's monitor does not respond");
      return { vm, isAhead: false };
    }
  }

  /** Finds the socket of a machine: earlier versions made it beside the directories of the others. */
  async function presentSocketPath(id: string): Promise<string> {
    const former = `${socketDirectoryOf(id)}.qmp`;
    return (await readdir(directories.sockets)).includes(basename(former))
      ? former
      : socketPath(id);
  }

  async function adoptOne(id: string): Promise<Machine | undefined> {
    const record = await readRecord(recordPath(id), machineRecordKind);
    if (record === undefined || record.sandbox === null) return undefined;
    const slot = slots.adopt(record.slotIndex);
    const access: MachineAccess = {
      shape: record,
      qmpSocketPath: await presentSocketPath(id),
    };
    await layers.hold(layerOwnerOf(id), record.disk.layers);
    // The worker may have ended between writing the record and adding the layer.
    const [newest = "", ...older] = record.disk.layers;
    const { vm, isAhead } = await attach(record, access, layers.pathOf(newest));
    const machine = machineOf({ id, slot, vm, record });
    if (isAhead) {
      try {
        await save(machine, { ...record, disk: { ...record.disk, layers: older } });
        await layers.hold(layerOwnerOf(id), older);
      } catch (error) {
        // The layer is empty, over the one that the machine writes: nothing is lost.
        deps.log.warn(
          { machineId: id, err: error },
          "A layer that was not added is left in the record",
        );
      }
    }
    return machine;
  }

  /**
   * Loads the rules of this version, in the mode of the record: the worker that
   * wrote it may have been another one, or have ended before it loaded them.
   */
  async function renewRules({ id, slot, vm, record }: Machine): Promise<void> {
    if (vm === undefined || record.sandbox === null) return;
    try {
      const { egressMode, egressPorts } = record.sandbox;
      await slots.setMode(slot, egressMode, egressPorts);
    } catch (error) {
      // Both sides keep what they had; where the host's has no mode, nothing passes.
      deps.log.warn({ machineId: id, err: error }, "The rules of a slot could not be renewed");
    }
  }

  function killOthers(kept: ReadonlySet<number>): Promise<void> {
    return hypervisor.endOthers({ processIds: [...kept], machineIds: [...leftAlone] });
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

    async adopt() {
      const ids = await readdir(directories.machines).catch((error: unknown) => {
        if (hasCode(error, "ENOENT")) return [];
        throw error;
      });
      const adopted = new Map<string, Machine>();
      for (const id of ids) {
        try {
          const machine = await adoptOne(id);
          if (machine !== undefined) adopted.set(id, machine);
        } catch (error) {
          deps.log.error(
            { machineId: id, err: error },
            "A machine cannot be adopted; it is left as it is",
          );
          leftAlone.add(id);
        }
      }
      const machines = [...adopted.values()];
      const kept = new Set([...adopted.keys(), ...leftAlone]);
      await killOthers(new Set(machines.flatMap((machine) => machine.vm?.process.pid ?? [])));
      if (leftAlone.size === 0) await slots.closeOrphans();
      else await slots.avoidOrphans();
      await host.removeGroupsBut([...kept]);
      for (const id of ids.filter((found) => !kept.has(found))) {
        await host.hideLayers(id);
        await rm(directoryOf(id), { recursive: true, force: true });
      }
      const sockets = await readdir(directories.sockets);
      for (const name of sockets.filter((found) => !kept.has(found.split(".")[0] ?? ""))) {
        await rm(join(directories.sockets, name), { recursive: true, force: true });
      }
      const renewing = pLimit(availableParallelism());
      await Promise.all(machines.map((machine) => renewing(() => renewRules(machine))));
      return { machines, unreadable: [...leftAlone].map(directoryOf) };
    },

    killOthers,
  };
}
