import { setTimeout as sleep } from "node:timers/promises";
import { limits, WireError } from "@opencomputer/protocol/api";
import type { CheckpointRepository, CheckpointRow } from "./checkpoint-repository.ts";

const pollMilliseconds = 100;

/** Finds a checkpoint in any state. @throws {WireError} `checkpoint_not_found` */
export async function findCheckpoint(
  checkpoints: Pick<CheckpointRepository, "find">,
  orgId: string,
  checkpointId: string,
): Promise<CheckpointRow> {
  const checkpoint = await checkpoints.find(orgId, checkpointId);
  if (checkpoint === undefined) throw checkpointNotFound(checkpointId);
  return checkpoint;
}

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
    const row = await findCheckpoint(checkpoints, orgId, checkpointId);
    const isOver = performance.now() >= deadline || signal.aborted;
    if (row.status !== "processing" || isOver) {
      assertReady(row);
      return row;
    }
    await sleep(pollMilliseconds);
  }
}

export function checkpointNotFound(checkpointId: string): WireError {
  return new WireError("checkpoint_not_found", `checkpoint not found: ${checkpointId}`, {
    remediation: "oc checkpoint list <sandbox-id>",
  });
}

/** @throws {WireError} `checkpoint_not_ready`, `checkpoint_failed` */
function assertReady({ id, status, failure }: CheckpointRow): void {
  if (status === "ready") return;
  if (status === "failed") {
    throw new WireError("checkpoint_failed", `Checkpoint ${id} could not be made: ${failure}`);
  }
  throw new WireError("checkpoint_not_ready", `Checkpoint ${id} is still being made; try again`, {
    remediation: "oc checkpoint create --wait",
  });
}
