import type { Logger } from "pino";
import type { Workers } from "../worker/workers.ts";
import { listCheckpoints } from "../worker/workers.ts";
import type { Builders } from "./builders.ts";
import type { ImageMaintenanceRepository } from "./image-repository.ts";
import type { SnapshotRepository } from "./snapshot-repository.ts";

/** Keeps images, snapshots and the worker's checkpoints consistent. */
export interface ImageMaintenance {
  /** Removes what an earlier process was building. */
  abandonBuilds(): Promise<void>;
  /** Deletes images that are unused for too long or over a limit. */
  sweep(): Promise<void>;
  /** Lists the checkpoints of the worker that belong to images. */
  knownCheckpoints(): Promise<string[]>;
  /**
   * Deletes the rows of images that the worker has lost; the next create builds
   * them again. The images are read before the worker's checkpoints, so that one
   * that becomes ready meanwhile is not mistaken for lost.
   */
  deleteLost(): Promise<void>;
}

export function createImageMaintenance(deps: {
  images: ImageMaintenanceRepository;
  snapshots: Pick<SnapshotRepository, "failInterrupted">;
  builders: Pick<Builders, "removeAbandoned">;
  workers: Workers;
  now: () => number;
  logger: Logger;
}): ImageMaintenance {
  const { images, snapshots, builders, workers, now, logger } = deps;

  return {
    async abandonBuilds() {
      await snapshots.failInterrupted();
      await images.deleteBuilds();
      await builders.removeAbandoned();
    },

    async sweep() {
      for (const checkpointId of await images.deleteUnused(new Date(now()))) {
        await workers.ofCheckpoint({ id: checkpointId }).deleteCheckpoint(checkpointId);
        logger.info({ checkpointId }, "an unused image was deleted");
      }
    },

    knownCheckpoints: () => images.listCheckpointIds(),

    async deleteLost() {
      const ready = await images.listCheckpointIds("ready");
      if (ready.length === 0) return;
      const { checkpoints, quarantinedCount } = await listCheckpoints(workers);
      // What a worker cannot read now may be one of them.
      if (quarantinedCount > 0) return;
      const present = new Set(checkpoints.map(({ checkpointId }) => checkpointId));
      for (const checkpointId of ready) {
        if (present.has(checkpointId)) continue;
        logger.error({ checkpointId }, "an image is unknown to the worker and was deleted");
        await images.delete(checkpointId);
      }
    },
  };
}
