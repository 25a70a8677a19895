import { setTimeout as sleep } from "node:timers/promises";
import { limits } from "@opencomputer/protocol/api";
import { assertReady, checkpointNotFound } from "./checkpoint-record.ts";
import type { CheckpointRepository, CheckpointRow } from "./checkpoint-repository.ts";

const pollMilliseconds = 100;

/**
 * Waits until a checkpoint is ready, and returns it.
 *
 * @throws {WireError} `checkpoint_not_found`, `checkpoint_not_ready` when it is
 * not ready in time, `checkpoint_failed`
 */
export async function awaitCheckpoint(
  checkpoints: Pick<CheckpointRepository, "find">,
  orgId: string,
  checkpointId: string,
  signal: AbortSignal,
): Promise<CheckpointRow> {
  const deadline = performance.now() + limits.checkpointWaitSecondsMax * 1000;
  for (;;) {
    const row = await checkpoints.find(orgId, checkpointId);
    if (row === undefined) throw checkpointNotFound(checkpointId);
    const isOver = performance.now() >= deadline || signal.aborted;
    if (row.status !== "processing" || isOver) {
      assertReady(row);
      return row;
    }
    await sleep(pollMilliseconds);
  }
}
