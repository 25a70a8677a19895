import { basename } from "node:path";
import type { Layers } from "../disks/create-layers.ts";
import type { Host } from "../host-calls/host.ts";
import type { VirtualMachine } from "../vm/virtual-machine.ts";
import { layerOwnerOf, type Machine } from "./machine.ts";
import type { MachineRecord } from "./machine-record.ts";

/**
 * Changes the disk of a running machine. The record is written first: if the
 * worker ends in between, all that the machine reads from is held.
 */
export interface RunningDisk {
  /**
   * Makes a machine write into a new layer over its disk. `pause` pauses it, once
   * everything that takes time is done. When it fails, the machine writes where it
   * did before.
   */
  addLayer(machine: Machine, emptyLayerPath: string, pause: () => Promise<void>): Promise<void>;
  /**
   * Merges all layers under the one that a machine writes into. The exchange at
   * the end runs within `exclusively`, and is left out when the machine was given
   * another layer meanwhile.
   */
  flatten(
    machine: Machine,
    exclusively: (exchange: () => Promise<void>) => Promise<void>,
  ): Promise<void>;
}

export async function writesInto(vm: VirtualMachine, layerPath: string): Promise<boolean> {
  return (await vm.diskPath()).endsWith(basename(layerPath));
}

export function createRunningDisk(deps: {
  layers: Layers;
  host: Pick<Host, "giveLayer" | "showLayers">;
  save: (machine: Machine, record: MachineRecord) => Promise<void>;
}): RunningDisk {
  const { layers, host } = deps;

  /** Gives a running QEMU access to a layer, and returns the path that it finds it at. */
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
    // Its header names the flat layer now. It has to be durable before the record says so and the others are removed.
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
        // It is unknown where a machine writes that does not respond: the layer, empty or not, stays.
        if (await writesInto(vm, layers.pathOf(layerId)).catch(() => true)) throw error;
        await deps.save(machine, record);
        await host.showLayers(machine.id, record.disk.layers);
        await layers.hold(owner, record.disk.layers);
        throw error;
      }
    },

    async flatten(machine, exclusively) {
      const { vm, record } = machine;
      if (vm === undefined) throw new Error("The machine has ended");
      const [newest, ...older] = record.disk.layers;
      const owner = `flat disk of ${layerOwnerOf(machine.id)}`;
      try {
        // Held for this work too: the machine may be discarded while they are read.
        await layers.hold(owner, older);
        const flat = await layers.flatten(owner, { ...record.disk, layers: older });
        await exclusively(async () => {
          if (machine.record.disk.layers[0] === newest) await exchangeUnder(machine, vm, flat);
        });
      } finally {
        await layers.hold(owner, []);
      }
    },
  };
}
