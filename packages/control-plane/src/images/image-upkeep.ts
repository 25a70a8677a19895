import type { Logger } from "pino";
import type { WorkerClient } from "../worker/worker-client.ts";
import type { Builders } from "./builders.ts";
import type { ImageUpkeepRepository } from "./image-repository.ts";
import type { SnapshotRepository } from "./snapshot-repository.ts";

/** Keeps images, snapshots and the worker's checkpoints in step. */
export interface ImageUpkeep {
  /** Takes away what an earlier process was building. */
  abandonBuilds(): Promise<void>;
  /** Deletes images that are no longer worth their room. */
  sweep(): Promise<void>;
  /** Checkpoints of the worker that belong to images. */
  knownCheckpoints(): Promise<string[]>;
  /**
   * Forgets images that the worker has lost; the next create builds them
   * again. The images are read before the worker's checkpoints, so that one
   * that becomes ready meanwhile is not taken for lost.
   */
  forgetLost(): Promise<void>;
}

export function createImageUpkeep(deps: {
  images: ImageUpkeepRepository;
  snapshots: Pick<SnapshotRepository, "failInterrupted">;
  builders: Pick<Builders, "removeAbandoned">;
  worker: Pick<WorkerClient, "deleteCheckpoint" | "listCheckpoints" | "status">;
  now: () => number;
  logger: Logger;
}): ImageUpkeep {
  const { images, snapshots, builders, worker, now, logger } = deps;

  return {
    async abandonBuilds() {
      await snapshots.failInterrupted();
      await images.forgetBuilds();
      await builders.removeAbandoned();
    },

    async sweep() {
      for (const checkpointId of await images.forgetUnused(new Date(now()))) {
        await worker.deleteCheckpoint(checkpointId);
        logger.info({ checkpointId }, "an unused image was deleted");
      }
    },

    knownCheckpoints: () => images.listCheckpointIds(),

    async forgetLost() {
      const ready = await images.listCheckpointIds("ready");
      if (ready.length === 0) return;
      const checkpoints = await worker.listCheckpoints();
      // What the worker cannot read now may be one of them.
      if ((await worker.status()).quarantined.length > 0) return;
      const present = new Set(checkpoints.map(({ checkpointId }) => checkpointId));
      for (const checkpointId of ready) {
        if (present.has(checkpointId)) continue;
        logger.error({ checkpointId }, "an image is unknown to the worker and is forgotten");
        await images.forget(checkpointId);
      }
    },
  };
}
