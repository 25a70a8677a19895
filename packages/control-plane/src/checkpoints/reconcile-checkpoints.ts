import type { Logger } from "pino";
import type { Workers } from "../worker/workers.ts";
import { listCheckpoints } from "../worker/workers.ts";
import type { CheckpointMaintenanceRepository } from "./checkpoint-repository.ts";
import type { CheckpointMaker } from "./make-checkpoint.ts";

/** A save that was under way when its row was deleted has ended within this time. */
const keptMilliseconds = 24 * 3600 * 1000;

/**
 * Reconciles rows with the worker's checkpoints: one that an earlier process was
 * making is ready when the worker has it, else failed; one whose row was deleted
 * is deleted. One that never had a row is kept, and reported: the database may be
 * an older one, restored from a backup.
 *
 * The rows are read after the worker's list, and a row exists before the worker
 * begins, so that a checkpoint under way is not mistaken for an unknown one.
 */
export function createReconcileCheckpoints(deps: {
  maintenance: CheckpointMaintenanceRepository;
  maker: Pick<CheckpointMaker, "isMaking" | "deleteFiles">;
  workers: Workers;
  /** Lists of checkpoints that are not those of users, such as those of images. */
  otherOwners: (() => Promise<readonly string[]>)[];
  now: () => number;
  logger: Logger;
}): () => Promise<void> {
  const { maintenance, maker, workers, otherOwners, now, logger } = deps;
  const reported = new Set<string>();

  return async () => {
    const processing = (await maintenance.listProcessing()).filter((id) => !maker.isMaking(id));
    const { checkpoints, quarantinedCount } = await listCheckpoints(workers);
    const made = new Map(checkpoints.map((checkpoint) => [checkpoint.checkpointId, checkpoint]));
    for (const id of processing) {
      const checkpoint = made.get(id);
      if (checkpoint === undefined) {
        const failure =
          "The server or its worker was restarted while the checkpoint was made: create another";
        await maintenance.finish(id, { status: "failed", failure });
      } else {
        const { sizeBytes, memoryMB } = checkpoint;
        await maintenance.finish(id, { status: "ready", sizeBytes, memoryMB });
      }
    }
    const owners = [maintenance.listIds, ...otherOwners];
    const known = new Set((await Promise.all(owners.map((list) => list()))).flat());
    const deleted = new Map(
      (await maintenance.listDeleted()).map((each) => [each.id, each.deletedAt]),
    );
    for (const id of made.keys()) {
      if (known.has(id)) continue;
      if (deleted.has(id)) {
        logger.warn({ checkpointId: id }, "the files of a deleted checkpoint are deleted");
        await maker.deleteFiles(id);
      } else if (!reported.has(id)) {
        reported.add(id);
        logger.error({ checkpointId: id }, "a checkpoint is not in the database; it is kept");
      }
    }
    for (const [id, deletedAt] of deleted) {
      const isRecent = now() - deletedAt.getTime() < keptMilliseconds;
      // One that the worker cannot read now may be read later.
      if (!made.has(id) && !isRecent && quarantinedCount === 0)
        await maintenance.removeTombstone(id);
    }
  };
}
