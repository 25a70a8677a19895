import type { CheckpointKind } from "@opencomputer/protocol/api";
import { WireError } from "@opencomputer/protocol/api";
import type { PrepareSandboxRequest } from "@opencomputer/protocol/wire";
import type { Layers } from "../disks/create-layers.ts";
import type { Machines } from "../machines/create-machines.ts";
import type { Machine } from "../machines/machine.ts";
import { type MachineShape, shapeOf } from "../vm/machine-shape.ts";
import type { SavedMachines } from "./create-saved-machines.ts";
import {
  emptyLayerPath,
  type SavedMachine,
  type SavedManifest,
  savedPaths,
} from "./saved-manifest.ts";

export interface SaveParts {
  readonly machines: Pick<Machines, "addLayer">;
  readonly layers: Pick<Layers, "makeEmpty">;
  readonly fingerprintOf: (shape: MachineShape) => string;
  readonly log: { warn(details: object, message: string): void };
}

export interface SaveOptions {
  readonly kind: CheckpointKind;
  /** The sandbox that it is saved for; null for a checkpoint. */
  readonly sandbox: PrepareSandboxRequest | null;
  /** Why its memory is lost; null when it is not. */
  readonly lostBecause: string | null;
}

/**
 * Saves a machine. One that is saved for its `sandbox` is paused afterwards, and
 * the caller discards it; one that is saved as a checkpoint continues to run, and writes
 * into a new layer over its disk. When the save fails, the machine runs as before.
 */
export async function saveMachine(
  parts: SaveParts,
  into: SavedMachines,
  id: string,
  machine: Machine,
  options: SaveOptions,
): Promise<SavedMachine> {
  try {
    return await into.make(id, (directory) => fill(parts, directory, machine, options));
  } catch (error) {
    // Also when all of it was saved, and could not be kept.
    if (options.lostBecause === null) await resume(parts, machine);
    throw error;
  }
}

/** Writes what is saved of a machine into an empty directory. */
async function fill(
  { machines, layers, fingerprintOf, log }: SaveParts,
  directory: string,
  machine: Machine,
  { kind, sandbox, lostBecause }: SaveOptions,
): Promise<Omit<SavedManifest, "sizeBytes">> {
  const { vm, record } = machine;
  const { disk, imageFingerprint } = record;
  const isCheckpoint = sandbox === null;
  const emptyLayer = emptyLayerPath(directory, disk.layers);
  if (isCheckpoint || kind === "full") {
    if (vm === undefined) {
      throw new WireError("sandbox_not_running", "The sandbox's machine has ended");
    }
    await layers.makeEmpty(emptyLayer, disk);
  }
  let pauseMilliseconds = 0;
  if (vm !== undefined && lostBecause === null) {
    await syncGuest(machine, log);
    const pause = async () => {
      // A machine that is saved for good needs no second look at what it changed meanwhile.
      if (!isCheckpoint || kind === "disk_only") await vm.pause();
      if (kind === "full") await vm.save(savedPaths(directory));
    };
    if (isCheckpoint) {
      await machines.addLayer(machine, emptyLayer, pause);
      await vm.resume();
      pauseMilliseconds = vm.lastPauseMilliseconds();
    } else {
      await pause();
    }
  }
  return {
    kind,
    ...shapeOf(record),
    machineFingerprint: fingerprintOf(record),
    imageFingerprint,
    ...sandboxSize(machine),
    disk,
    pauseMilliseconds,
    sandbox,
    lostBecause,
  };
}

/** Has the guest write what is pending to its disk; a guest that does not respond loses it. */
async function syncGuest({ id, agent }: Machine, log: SaveParts["log"]): Promise<void> {
  try {
    await agent.sync();
  } catch (error) {
    log.warn({ machineId: id, err: error }, "A guest did not write its pending data to the disk");
  }
}

/** The machine is paused, or has ended, or nothing has happened to it. */
async function resume({ log }: SaveParts, { id, vm }: Machine): Promise<void> {
  try {
    await vm?.resume();
  } catch (error) {
    log.warn({ machineId: id, err: error }, "A machine ended while it was saved");
  }
}

/** What is plugged in a machine that has started is what its sandbox was to have. */
function sandboxSize({ record }: Machine): { cpuCount: number; memoryMB: number } {
  const { cpuCount, memoryMB } = record.sandbox ?? record;
  return { cpuCount, memoryMB };
}
