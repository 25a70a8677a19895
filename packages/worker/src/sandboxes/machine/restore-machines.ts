import { WireError } from "@opencomputer/protocol/api";
import { isDeep } from "../../disks/create-layers.ts";
import type { Machines } from "../../machines/create-machines.ts";
import type { Machine } from "../../machines/machine.ts";
import type { Origin } from "../../machines/origin.ts";
import type { SavedMachines } from "../../saved-machines/create-saved-machines.ts";
import { originOf, type SavedMachine } from "../../saved-machines/saved-manifest.ts";
import type { WarmMachines, WarmOrigin } from "../../warm-pool/create-warm-machines.ts";

/** What machines are made from, and where warm ones are taken. */
export interface RestoreParts {
  readonly machines: Machines;
  readonly hibernated: SavedMachines;
  readonly checkpoints: SavedMachines;
  readonly warmMachines: WarmMachines;
}

/** @throws {WireError} `checkpoint_not_found` */
export function findCheckpoint(checkpoints: SavedMachines, checkpointId: string): SavedMachine {
  const checkpoint = checkpoints.get(checkpointId);
  if (checkpoint !== undefined) return checkpoint;
  throw new WireError(
    "checkpoint_not_found",
    `There is no checkpoint ${checkpointId} on this host`,
  );
}

/** Makes a machine that begins where the checkpoint was made. @throws {WireError} `checkpoint_not_found` */
export async function machineOfCheckpoint(
  { machines, checkpoints, warmMachines }: RestoreParts,
  checkpointId: string,
): Promise<Machine> {
  const machine = await warmMachines
    .take(checkpointId, fork(checkpoints, checkpointId))
    .catch((error: unknown) => {
      findCheckpoint(checkpoints, checkpointId);
      throw error;
    });
  const isDeleted = checkpoints.get(checkpointId) === undefined;
  // It was deleted before its memory could be read.
  if (isDeleted && machine.record.lostBecause !== null) {
    await machines.discard(machine);
    findCheckpoint(checkpoints, checkpointId);
  }
  return machine;
}

/** Makes the machine that continues a hibernated one; to boot, when its memory is `lostBecause` of that. */
export async function machineOfHibernated(
  { machines, hibernated, warmMachines }: RestoreParts,
  saved: SavedMachine,
  lostBecause: string | null = null,
): Promise<Machine> {
  const warm = await warmMachines.takeLast(saved.id);
  if (warm !== undefined) return warm;
  const origin = originOf(hibernated.get(saved.id) ?? saved);
  return machines.make(lostBecause === null ? origin : { ...origin, memory: null, lostBecause });
}

/** Has a warm machine made for the next fork. Never rejects. */
export function warmUpForFork(parts: RestoreParts, checkpointId: string): Promise<void> {
  const { checkpoints } = parts;
  return warmUp(parts, checkpoints, checkpointId, fork(checkpoints, checkpointId));
}

/** Has a warm machine made for the wake. Never rejects. */
export function warmUpForWake(parts: RestoreParts, sandboxId: string): Promise<void> {
  const { hibernated } = parts;
  const continuation = () => {
    const saved = hibernated.get(sandboxId);
    return saved === undefined ? undefined : originOf(saved);
  };
  return warmUp(parts, hibernated, sandboxId, continuation);
}

function fork(checkpoints: SavedMachines, checkpointId: string): () => Origin {
  return () => originOf(findCheckpoint(checkpoints, checkpointId));
}

/** Flattens a deep disk first: each machine that is made of it makes it deeper. */
async function warmUp(
  { warmMachines }: RestoreParts,
  from: SavedMachines,
  id: string,
  origin: WarmOrigin,
): Promise<void> {
  const flattened = from.flattenDeep();
  const before = from.get(id);
  if (before !== undefined && isDeep(before.disk)) await flattened;
  const saved = from.get(id);
  if (saved !== undefined && !isDeep(saved.disk)) warmMachines.prepare(id, origin);
}
