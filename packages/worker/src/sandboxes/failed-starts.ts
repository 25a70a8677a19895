import { WireError } from "@opencomputer/protocol/api";
import type { Sandbox } from "./sandbox.ts";

/** One failure may be due to a busy host; a guest that fails as often as this is at fault itself. */
const failedStartsMax = 3;

/** Why the memory of a sandbox is given up that fails so often. */
export const failedMemoryReason = `it did not start with its saved memory in ${failedStartsMax} attempts`;

/** Whether a sandbox has failed so often in a row that its memory is not to be used again. */
export function hasFailedForGood({ failedStarts }: Pick<Sandbox, "failedStarts">): boolean {
  return failedStarts >= failedStartsMax;
}

/**
 * Counts a start that has failed. That its machine has ended, is being removed or waits for
 * space on the disk is no failure of the guest.
 */
export function countFailedStart(sandbox: Sandbox): void {
  const { machine, hasEnded, isRemoved } = sandbox;
  if (hasEnded || isRemoved || machine?.vm?.lacksStorage() !== false) return;
  sandbox.failedStarts += 1;
}

/** Counts a memory that could not be loaded because the machine was killed meanwhile. */
export function countFailedLoad(sandbox: Sandbox, error: unknown): void {
  if (error instanceof WireError && error.code === "guest_failed") sandbox.failedStarts += 1;
}

/** The error of the last attempt, with what has become of the sandbox. */
export function givenUp({ spec: { sandboxId } }: Sandbox, cause: unknown): WireError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new WireError(
    "guest_failed",
    `Sandbox ${sandboxId} did not start in ${failedStartsMax} attempts and is hibernated without its memory: wake it to boot from its disk. The last failure: ${reason}`,
    { cause, remediation: `oc sandbox wake ${sandboxId}` },
  );
}
