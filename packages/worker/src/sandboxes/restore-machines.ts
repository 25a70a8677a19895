import { WireError } from "@opencomputer/protocol";
import { isDeep } from "../disks/create-layers.ts";
import type { Machine, Machines } from "../machines/create-machines.ts";
import type { SpareOrigin, Spares } from "../machines/create-spares.ts";
import type { SavedMachines } from "../saved-state/create-saved-machines.ts";
import { originOf, type SavedMachine } from "../saved-state/saved-machine.ts";

/** Machines made of what was saved, and those that stand ready for it. */
export interface RestoreMachines {
  /** @throws {WireError} `checkpoint_not_found` */
  findCheckpoint(checkpointId: string): SavedMachine;
  /** A new machine that begins where the checkpoint was made. */
  ofCheckpoint(checkpointId: string): Promise<Machine>;
  /** The hibernated machine again. */
  ofHibernated(saved: SavedMachine): Promise<Machine>;
  /** Has a machine stand ready for the next fork. Never rejects. */
  standReadyToFork(checkpointId: string): Promise<void>;
  /** Has a machine stand ready for the wake. Never rejects. */
  standReadyToWake(sandboxId: string): Promise<void>;
}

export function createRestoreMachines(deps: {
  machines: Machines;
  hibernated: SavedMachines;
  checkpoints: SavedMachines;
  spares: Spares;
}): RestoreMachines {
  const { machines, hibernated, checkpoints, spares } = deps;

  function findCheckpoint(checkpointId: string): SavedMachine {
    const checkpoint = checkpoints.get(checkpointId);
    if (checkpoint !== undefined) return checkpoint;
    throw new WireError(
      "checkpoint_not_found",
      `There is no checkpoint ${checkpointId} on this host`,
    );
  }

  const fork = (checkpointId: string) => () => originOf(findCheckpoint(checkpointId));

  /** What a hibernated sandbox goes on in, should it be woken. */
  const continuation =
    (sandboxId: string): SpareOrigin =>
    () => {
      const saved = hibernated.get(sandboxId);
      return saved === undefined ? undefined : originOf(saved);
    };

  /** A deep disk is flattened first: with each machine that was made of it, it would be deeper. */
  async function standReady(from: SavedMachines, id: string, origin: SpareOrigin): Promise<void> {
    const flattened = from.flattenDeep();
    const before = from.get(id);
    if (before !== undefined && isDeep(before.disk)) await flattened;
    const saved = from.get(id);
    if (saved !== undefined && !isDeep(saved.disk)) spares.prepare(id, origin);
  }

  return {
    findCheckpoint,

    async ofCheckpoint(checkpointId) {
      const machine = await spares
        .take(checkpointId, fork(checkpointId))
        .catch((error: unknown) => {
          findCheckpoint(checkpointId);
          throw error;
        });
      const isDeleted = checkpoints.get(checkpointId) === undefined;
      // It was deleted before its memory could be read.
      if (isDeleted && machine.record.lostBecause !== null) {
        await machines.discard(machine);
        findCheckpoint(checkpointId);
      }
      return machine;
    },

    async ofHibernated(saved) {
      const ready = await spares.takeLast(saved.id);
      return ready ?? machines.make(originOf(hibernated.get(saved.id) ?? saved));
    },

    standReadyToFork: (checkpointId) => standReady(checkpoints, checkpointId, fork(checkpointId)),
    standReadyToWake: (sandboxId) => standReady(hibernated, sandboxId, continuation(sandboxId)),
  };
}
