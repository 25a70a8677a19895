import { WireError } from "@opencomputer/protocol/api";
import type { Sandbox } from "../registry/sandbox.ts";

/** A busy host may be why one attempt fails, or several in a row within a short time. */
const attemptsMin = 3;
const failingMillisecondsMin = 120_000;

/** Why the memory of a sandbox is given up that fails for so long. */
export const failedMemoryReason = `it did not start with its saved memory in ${attemptsMin} attempts or more`;

/** Whether a sandbox has failed so often, and for so long, that its memory is not to be used again. */
export function hasFailedForGood(
  { failedStarts }: Pick<Sandbox, "failedStarts">,
  nowMilliseconds: number,
): boolean {
  return (
    failedStarts !== null &&
    failedStarts.count >= attemptsMin &&
    nowMilliseconds - failedStarts.sinceMilliseconds >= failingMillisecondsMin
  );
}

/**
 * Counts a start that has failed. That its machine has ended, is being removed or waits for
 * space on the disk is no failure of the guest.
 */
export function countFailedStart(sandbox: Sandbox, nowMilliseconds: number): void {
  const { machine, hasEnded, isRemoved } = sandbox;
  if (hasEnded || isRemoved || machine?.vm?.lacksStorage() !== false) return;
  count(sandbox, nowMilliseconds);
}

/** Counts a memory that could not be loaded because the machine was killed meanwhile. */
export function countFailedLoad(sandbox: Sandbox, error: unknown, nowMilliseconds: number): void {
  if (error instanceof WireError && error.code === "guest_failed") count(sandbox, nowMilliseconds);
}

function count(sandbox: Sandbox, nowMilliseconds: number): void {
  const { failedStarts } = sandbox;
  sandbox.failedStarts = {
    count: (failedStarts?.count ?? 0) + 1,
    sinceMilliseconds: failedStarts?.sinceMilliseconds ?? nowMilliseconds,
  };
}

/** The error of the last attempt, with what has become of the sandbox. */
export function givenUp({ spec: { sandboxId } }: Sandbox, cause: unknown): WireError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new WireError(
    "guest_failed",
    `Sandbox ${sandboxId} did not start in ${attemptsMin} attempts or more and is hibernated without its memory: wake it to boot from its disk. The last failure: ${reason}`,
    { cause, remediation: `oc sandbox wake ${sandboxId}` },
  );
}
