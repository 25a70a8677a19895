import { readdir, rm } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { basename, join } from "node:path";
import pLimit from "p-limit";
import type { Layers } from "../disks/create-layers.ts";
import { readRecord } from "../files/record-kind.ts";
import type { Host } from "../host-calls/host.ts";
import type { Slots } from "../network/create-slots.ts";
import { hasCode } from "../process/process-identity.ts";
import type { MachineAccess } from "../vm/qemu-arguments.ts";
import type { Hypervisor } from "../vm/virtual-machine.ts";
import { layerOwnerOf, type Machine, machinePaths } from "./machine.ts";
import { type MachineRecord, machineRecordKind } from "./machine-record.ts";
import { writesInto } from "./running-disk.ts";

export interface AdoptedMachines {
  readonly machines: readonly Machine[];
  /** Directories of those that cannot be adopted. */
  readonly unreadable: readonly string[];
}

/** Takes over what an earlier worker left running. */
export interface MachineAdoption {
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

export function createMachineAdoption(deps: {
  hypervisor: Pick<Hypervisor, "attach" | "endOthers">;
  slots: Pick<Slots, "adopt" | "avoidOrphans" | "closeOrphans" | "setMode">;
  host: Pick<Host, "hideLayers" | "removeGroupsBut">;
  layers: Pick<Layers, "hold" | "pathOf">;
  machineOf: (parts: Omit<Machine, "agent">) => Machine;
  save: (machine: Machine, record: MachineRecord) => Promise<void>;
  directories: { machines: string; sockets: string };
  log: {
    warn(details: object, message: string): void;
    error(details: object, message: string): void;
  };
}): MachineAdoption {
  const { hypervisor, slots, host, layers, machineOf, save, directories } = deps;
  const { directoryOf, recordPath, socketDirectoryOf, socketPath } = machinePaths(directories);

  /** Machines that could not be adopted. */
  const leftAlone = new Set<string>();

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

  return {
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
