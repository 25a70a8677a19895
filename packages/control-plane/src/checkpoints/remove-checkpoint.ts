import type { Logger } from "pino";
import type { WorkerClient } from "../worker/worker-client.ts";

/**
 * Has the worker delete a checkpoint that has no row any more. Never rejects:
 * what the worker cannot delete now is found by the upkeep.
 */
export type RemoveCheckpoint = (checkpointId: string) => Promise<void>;

export function createRemoveCheckpoint(deps: {
  worker: Pick<WorkerClient, "deleteCheckpoint">;
  logger: Logger;
}): RemoveCheckpoint {
  return async (checkpointId) => {
    try {
      await deps.worker.deleteCheckpoint(checkpointId);
    } catch (error) {
      deps.logger.warn({ checkpointId, err: error }, "a checkpoint is deleted at the next upkeep");
    }
  };
}
