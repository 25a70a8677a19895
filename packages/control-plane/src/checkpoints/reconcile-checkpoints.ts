import type { Logger } from "pino";
import type { WorkerClient } from "../worker/worker-client.ts";
import type { CheckpointUpkeepRepository } from "./checkpoint-repository.ts";
import type { CheckpointMaker } from "./make-checkpoint.ts";
import type { RemoveCheckpoint } from "./remove-checkpoint.ts";

/**
 * Brings rows and the worker's checkpoints together: one that an earlier
 * process was making is ready when the worker has it, else failed; one that
 * nobody knows is deleted.
 *
 * The rows are read after the worker's list, and a row is there before the
 * worker begins, so that a checkpoint under way is not taken for unknown.
 */
export function createReconcileCheckpoints(deps: {
  upkeep: CheckpointUpkeepRepository;
  maker: Pick<CheckpointMaker, "isMaking">;
  worker: Pick<WorkerClient, "listCheckpoints">;
  removeCheckpoint: RemoveCheckpoint;
  /** Whose checkpoints there are besides those of users, such as those of images. */
  otherOwners: (() => Promise<readonly string[]>)[];
  logger: Logger;
}): () => Promise<void> {
  const { upkeep, maker, worker, removeCheckpoint, otherOwners, logger } = deps;

  return async () => {
    const processing = (await upkeep.listProcessing()).filter((id) => !maker.isMaking(id));
    const made = new Map(
      (await worker.listCheckpoints()).map((checkpoint) => [checkpoint.checkpointId, checkpoint]),
    );
    for (const id of processing) {
      const checkpoint = made.get(id);
      if (checkpoint === undefined) {
        const failure = "The server or its worker was restarted while it was made; make another";
        await upkeep.finish(id, { status: "failed", failure });
      } else {
        const { sizeBytes, memoryMB } = checkpoint;
        await upkeep.finish(id, { status: "ready", sizeBytes, memoryMB });
      }
    }
    const owners = [upkeep.listIds, ...otherOwners];
    const known = new Set((await Promise.all(owners.map((list) => list()))).flat());
    for (const id of made.keys()) {
      if (known.has(id)) continue;
      logger.warn({ checkpointId: id }, "a checkpoint that nobody knows is deleted");
      await removeCheckpoint(id);
    }
  };
}
