import {
  type CommandResult,
  limits,
  type PatchRecord,
  toStorableText,
  WireError,
} from "@opencomputer/protocol/api";
import type { SandboxRepository } from "../sandboxes/rows/sandbox-repository.ts";
import type { Workers } from "../worker/workers.ts";
import type { PatchRepository } from "./patch-repository.ts";

/** How much of a failed patch's output is kept. */
const keptCharactersMax = 2_000;

/** A fork, and which patches of its checkpoint have run in it. */
export interface PatchedFork {
  orgId: string;
  sandboxId: string;
  checkpointId: string;
  appliedPatchIds: readonly string[];
}

/** What is stored after the patches: how one failed, and which have run. */
export interface PatchOutcome {
  patchError: string | null;
  appliedPatchIds: string[];
}

export interface RunPatchesDeps {
  patches: Pick<PatchRepository, "list">;
  sandboxes: Pick<SandboxRepository, "find">;
  workers: Workers;
}

/**
 * Runs the patches of a checkpoint that have not run in a fork yet, in their
 * order and with bash. The first that fails is the last that runs; the fork
 * stays usable, and its next wake tries the failed patch again unless it was deleted.
 * `onApplied` is called after each one, so that none runs twice.
 *
 * @throws {WireError} when the worker is lost.
 */
export async function runPatches(
  { patches, sandboxes, workers }: RunPatchesDeps,
  fork: PatchedFork,
  onApplied: (appliedPatchIds: string[]) => Promise<void>,
  signal: AbortSignal,
): Promise<PatchOutcome> {
  const { orgId, checkpointId, sandboxId } = fork;
  const present = await patches.list(orgId, checkpointId);
  const applied = new Set(fork.appliedPatchIds);
  const pending = present.filter(({ id }) => !applied.has(id));
  // Those that were deleted are left out, so the list does not grow.
  const appliedPatchIds = present.map(({ id }) => id).filter((id) => applied.has(id));
  if (pending.length === 0) return { patchError: null, appliedPatchIds };
  const cwd = (await sandboxes.find(orgId, sandboxId))?.workingDirectory ?? null;
  for (const patch of pending) {
    const command = {
      cmd: "/bin/bash",
      args: ["-c", patch.script],
      cwd,
      timeout: limits.patchTimeoutSecondsMax,
    };
    const failure = await workers
      .of({ id: sandboxId })
      .run(sandboxId, command, signal)
      .then(describeResult, describeRefusal);
    if (failure !== undefined) {
      return { patchError: `${nameOf(patch)} ${failure}`, appliedPatchIds };
    }
    appliedPatchIds.push(patch.id);
    await onApplied(appliedPatchIds);
  }
  return { patchError: null, appliedPatchIds };
}

function nameOf({ sequence, description }: PatchRecord): string {
  return description === "" ? `Patch ${sequence}` : `Patch ${sequence} (${description})`;
}

function describeResult({ exitCode, stdout, stderr }: CommandResult): string | undefined {
  if (exitCode === 0) return undefined;
  const output = (stderr.trim() === "" ? stdout : stderr).trim().slice(-keptCharactersMax);
  const text = toStorableText(output);
  return `ended with exit code ${exitCode}${text === "" ? "" : `: ${text}`}`;
}

function describeRefusal(error: unknown): string {
  const isGuests =
    error instanceof WireError && error.status < 500 && error.code !== "outcome_unknown";
  if (isGuests) return `was not run: ${error.message}`;
  throw error;
}
