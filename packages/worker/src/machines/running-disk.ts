import { basename } from "node:path";
import type { Layers } from "../disks/create-layers.ts";
import type { Host } from "../host/host.ts";
import type { VirtualMachine } from "../vm/virtual-machine.ts";
import type { Machine } from "./create-machines.ts";
import type { MachineRecord } from "./machine-record.ts";

/**
 * What happens to the disk of a machine that runs. The record is written
 * first: whatever ends in between, all that the machine reads from is held.
 */
export interface RunningDisk {
  /**
   * Has a machine write into a new layer over its disk. `pause` leaves it
   * paused; all that takes time has happened by then. When it fails, the
   * machine writes where it did.
   */
  addLayer(machine: Machine, emptyLayerPath: string, pause: () => Promise<void>): Promise<void>;
  /**
   * Makes one layer of all those under the one that a machine writes into. The
   * exchange at the end happens within `inTurn`, and not at all when the
   * machine has got another layer meanwhile.
   */
  flatten(
    machine: Machine,
    inTurn: (exchange: () => Promise<void>) => Promise<void>,
  ): Promise<void>;
}

/** Who holds the layers of a machine. */
export const layerOwnerOf = (machineId: string) => `machine ${machineId}`;

export async function writesInto(vm: VirtualMachine, layerPath: string): Promise<boolean> {
  return (await vm.diskPath()).endsWith(basename(layerPath));
}

export function createRunningDisk(deps: {
  layers: Layers;
  host: Pick<Host, "giveLayer" | "showLayers">;
  save: (machine: Machine, record: MachineRecord) => Promise<void>;
}): RunningDisk {
  const { layers, host } = deps;

  /** As QEMU finds a layer that it opens while it runs. */
  async function opened({ id, slot, record }: Machine, layerId: string): Promise<string> {
    await host.giveLayer(layerId, slot.index);
    await host.showLayers(id, [layerId, ...record.disk.layers]);
    return basename(layers.pathOf(layerId));
  }

  const saveLayers = (machine: Machine, layerIds: string[]) =>
    deps.save(machine, {
      ...machine.record,
      disk: { ...machine.record.disk, layers: layerIds },
    });

  async function exchangeUnder(machine: Machine, vm: VirtualMachine, flat: string): Promise<void> {
    const owner = layerOwnerOf(machine.id);
    const [newest = "", ...older] = machine.record.disk.layers;
    const path = await opened(machine, flat);
    await layers.hold(owner, [newest, flat, ...older]);
    await saveLayers(machine, [newest, flat, ...older]);
    await vm.replaceUnder({
      layerPath: path,
      basePath: layers.basePathOf(machine.record.disk),
      replaced: older.map(layers.pathOf),
    });
    // Its header names the flat layer now: it has to last before the record says so, and the others go.
    await layers.sync([newest]);
    await saveLayers(machine, [newest, flat]);
    await host.showLayers(machine.id, [newest, flat]);
    await layers.hold(owner, [newest, flat]);
  }

  return {
    async addLayer(machine, emptyLayerPath, pause) {
      const { vm, record } = machine;
      if (vm === undefined) throw new Error("The machine has ended");
      const owner = layerOwnerOf(machine.id);
      const layerId = await layers.add(owner, emptyLayerPath, record.disk);
      try {
        const path = await opened(machine, layerId);
        await saveLayers(machine, [layerId, ...record.disk.layers]);
        await pause();
        await vm.writeInto(path);
      } catch (error) {
        // Where a machine writes that does not answer nobody knows: the layer, empty or not, stays.
        if (await writesInto(vm, layers.pathOf(layerId)).catch(() => true)) throw error;
        await deps.save(machine, record);
        await host.showLayers(machine.id, record.disk.layers);
        await layers.hold(owner, record.disk.layers);
        throw error;
      }
    },

    async flatten(machine, inTurn) {
      const { vm, record } = machine;
      if (vm === undefined) throw new Error("The machine has ended");
      const [newest, ...older] = record.disk.layers;
      const owner = `flat disk of ${layerOwnerOf(machine.id)}`;
      try {
        // Of its own too: the machine may be discarded while they are read.
        await layers.hold(owner, older);
        const flat = await layers.flatten(owner, { ...record.disk, layers: older });
        await inTurn(async () => {
          if (machine.record.disk.layers[0] === newest) await exchangeUnder(machine, vm, flat);
        });
      } finally {
        await layers.hold(owner, []);
      }
    },
  };
}
