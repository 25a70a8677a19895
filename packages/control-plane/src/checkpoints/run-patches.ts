import { type CommandResult, limits, type PatchRecord, WireError } from "@opencomputer/protocol";
import type { SandboxRepository } from "../sandboxes/sandbox-repository.ts";
import type { WorkerClient } from "../worker/worker-client.ts";
import type { PatchRepository } from "./patch-repository.ts";

/** How much of a failed patch's output is kept. */
const keptCharactersMax = 2_000;

/**
 * Runs the patches of a checkpoint in a fork, in their order and with bash.
 * The first that fails is the last that runs; the fork stays usable.
 *
 * @returns the text of the failure, null when all have run.
 * @throws {WireError} when the worker is lost: then the fork is of no use.
 */
export type RunPatches = (
  fork: { orgId: string; checkpointId: string; sandboxId: string },
  signal: AbortSignal,
) => Promise<{ patchError: string | null }>;

export function createRunPatches(deps: {
  patches: Pick<PatchRepository, "list">;
  sandboxes: Pick<SandboxRepository, "find">;
  worker: Pick<WorkerClient, "run">;
}): RunPatches {
  const { patches, sandboxes, worker } = deps;

  return async ({ orgId, checkpointId, sandboxId }, signal) => {
    const scripts = await patches.list(orgId, checkpointId);
    if (scripts.length === 0) return { patchError: null };
    const cwd = (await sandboxes.find(orgId, sandboxId))?.workingDirectory ?? null;
    for (const patch of scripts) {
      const command = {
        cmd: "/bin/bash",
        args: ["-c", patch.script],
        cwd,
        timeout: limits.patchTimeoutSecondsMax,
      };
      const failure = await worker
        .run(sandboxId, command, signal)
        .then(describeResult, describeRefusal);
      if (failure !== undefined) return { patchError: `${nameOf(patch)} ${failure}` };
    }
    return { patchError: null };
  };
}

function nameOf({ sequence, description }: PatchRecord): string {
  return description === "" ? `Patch ${sequence}` : `Patch ${sequence} (${description})`;
}

function describeResult({ exitCode, stdout, stderr }: CommandResult): string | undefined {
  if (exitCode === 0) return undefined;
  const output = (stderr.trim() === "" ? stdout : stderr).trim().slice(-keptCharactersMax);
  // The database takes neither NUL nor half of a character, and the output is the guest's.
  const text = Buffer.from(output.replaceAll("\0", "\uFFFD"), "utf8").toString("utf8");
  return `ended with exit code ${exitCode}${text === "" ? "" : `: ${text}`}`;
}

function describeRefusal(error: unknown): string {
  const isGuests =
    error instanceof WireError && error.status < 500 && error.code !== "outcome_unknown";
  if (isGuests) return `was not run: ${error.message}`;
  throw error;
}
