import type { Logger } from "pino";
import type { WorkerClient } from "../worker/worker-client.ts";
import type { CheckpointUpkeepRepository } from "./checkpoint-repository.ts";
import type { CheckpointMaker } from "./make-checkpoint.ts";
import type { RemoveCheckpoint } from "./remove-checkpoint.ts";

/** What was being saved when its row was deleted is saved, or given up, within this time. */
const keptMilliseconds = 24 * 3600 * 1000;

/**
 * Brings rows and the worker's checkpoints together: one that an earlier
 * process was making is ready when the worker has it, else failed; one whose
 * row was deleted is deleted. One that never had a row stays, and is reported:
 * the database may be an older one, put back from a backup.
 *
 * The rows are read after the worker's list, and a row is there before the
 * worker begins, so that a checkpoint under way is not taken for unknown.
 */
export function createReconcileCheckpoints(deps: {
  upkeep: CheckpointUpkeepRepository;
  maker: Pick<CheckpointMaker, "isMaking">;
  worker: Pick<WorkerClient, "listCheckpoints" | "status">;
  removeCheckpoint: RemoveCheckpoint;
  /** Whose checkpoints there are besides those of users, such as those of images. */
  otherOwners: (() => Promise<readonly string[]>)[];
  now: () => number;
  logger: Logger;
}): () => Promise<void> {
  const { upkeep, maker, worker, removeCheckpoint, otherOwners, now, logger } = deps;
  const reported = new Set<string>();

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
    const deleted = new Map((await upkeep.listDeleted()).map((each) => [each.id, each.deletedAt]));
    for (const id of made.keys()) {
      if (known.has(id)) continue;
      if (deleted.has(id)) {
        logger.warn({ checkpointId: id }, "the files of a deleted checkpoint are deleted");
        await removeCheckpoint(id);
      } else if (!reported.has(id)) {
        reported.add(id);
        logger.error({ checkpointId: id }, "a checkpoint is not in the database; it stays");
      }
    }
    const { quarantined } = await worker.status();
    for (const [id, deletedAt] of deleted) {
      const isRecent = now() - deletedAt.getTime() < keptMilliseconds;
      // One that the worker cannot read now may be read later.
      if (!made.has(id) && !isRecent && quarantined.length === 0) await upkeep.forgetDeleted(id);
    }
  };
}
