import type { CheckpointKind, PrepareSandboxRequest } from "@opencomputer/protocol";
import { WireError } from "@opencomputer/protocol";
import type { Layers } from "../disks/create-layers.ts";
import type { Machine, Machines } from "../machines/create-machines.ts";
import { type MachineShape, shapeOf } from "../vm/machine-shape.ts";
import type { SavedMachines } from "./create-saved-machines.ts";
import { emptyLayerPath, type SavedMachine, savedPaths } from "./saved-machine.ts";

/**
 * Saves a machine. One that is saved for its `sandbox` stands paused
 * afterwards and is to be discarded; one that is saved as a checkpoint goes on,
 * writing into a new layer over its disk. When it fails, it goes on as it was.
 */
export type MakeSaved = (
  into: SavedMachines,
  id: string,
  machine: Machine,
  options: {
    kind: CheckpointKind;
    sandbox: PrepareSandboxRequest | null;
    lostBecause: string | null;
  },
) => Promise<SavedMachine>;

export function createSaveMachine(deps: {
  machines: Machines;
  layers: Layers;
  fingerprintOf: (shape: MachineShape) => string;
  log: { warn(details: object, message: string): void };
}): MakeSaved {
  const { machines, layers } = deps;

  /** Writes of the guest that are under way reach the disk; a guest that does not answer loses them. */
  async function sync(machine: Machine): Promise<void> {
    try {
      await machine.agent.sync();
    } catch (error) {
      deps.log.warn({ machineId: machine.id, err: error }, "A guest did not write its disk out");
    }
  }

  /** It stands paused, or has ended, or nothing has happened to it. */
  async function goOn({ id, vm }: Machine): Promise<void> {
    try {
      await vm?.resume();
    } catch (error) {
      deps.log.warn({ machineId: id, err: error }, "A machine ended while it was saved");
    }
  }

  const save: MakeSaved = (into, id, machine, { kind, sandbox, lostBecause }) =>
    into.make(id, async (directory) => {
      const { vm, record } = machine;
      const isCheckpoint = sandbox === null;
      const { disk } = record;
      const overlay = emptyLayerPath(directory, disk.layers);
      if (isCheckpoint || kind === "full") {
        if (vm === undefined) {
          throw new WireError("sandbox_not_running", "The sandbox's machine has ended");
        }
        await layers.makeEmpty(overlay, disk);
      }
      let pauseMilliseconds = 0;
      if (vm !== undefined && lostBecause === null) {
        await sync(machine);
        const pause = async () => {
          // A machine that is saved for good needs no second look at what it changed meanwhile.
          if (!isCheckpoint || kind === "disk_only") await vm.pause();
          if (kind === "full") await vm.save(savedPaths(directory));
        };
        if (isCheckpoint) {
          await machines.addLayer(machine, overlay, pause);
          await vm.resume();
          pauseMilliseconds = vm.lastPauseMilliseconds();
        } else {
          await pause();
        }
      }
      const { imageFingerprint } = record;
      const size = sandboxSize(machine);
      return {
        kind,
        ...shapeOf(record),
        machineFingerprint: deps.fingerprintOf(record),
        imageFingerprint,
        ...size,
        disk,
        pauseMilliseconds,
        sandbox,
        lostBecause,
      };
    });

  return async (into, id, machine, options) => {
    try {
      return await save(into, id, machine, options);
    } catch (error) {
      // Also when it was saved whole, and could not be kept.
      if (options.lostBecause === null) await goOn(machine);
      throw error;
    }
  };
}

/** What is plugged in a machine that has started is what its sandbox was to have. */
function sandboxSize({ record }: Machine): { cpuCount: number; memoryMB: number } {
  const { cpuCount, memoryMB } = record.sandbox ?? record;
  return { cpuCount, memoryMB };
}
