import type { ForkRequest } from "@opencomputer/protocol/api";
import type { Caller } from "../orgs/api-key-repository.ts";
import { type RunPatchesDeps, runPatches } from "../patches/run-patches.ts";
import { type CreateSandboxDeps, createSandbox } from "../sandboxes/create/create-sandbox.ts";
import type { SandboxRow } from "../sandboxes/rows/sandbox-repository.ts";
import type { CheckpointRepository } from "./checkpoint-repository.ts";
import { awaitCheckpoint } from "./find-checkpoint.ts";
import { planFork } from "./plan-fork.ts";

export type ForkCheckpointDeps = CreateSandboxDeps &
  RunPatchesDeps & { checkpoints: CheckpointRepository };

/**
 * Makes a sandbox from a checkpoint. It exists when its patches have run.
 *
 * @throws {WireError} `checkpoint_not_found`, `checkpoint_not_ready` when it is
 * not ready in time, `checkpoint_failed`, `session_not_found` for a session that is to
 * be restarted, and what a create throws.
 */
export async function forkCheckpoint(
  deps: ForkCheckpointDeps,
  caller: Caller,
  checkpointId: string,
  request: ForkRequest,
  signal: AbortSignal,
): Promise<SandboxRow> {
  const { orgId } = caller;
  const checkpoint = await awaitCheckpoint(deps.checkpoints, orgId, checkpointId, signal);
  return createSandbox(deps, caller, planFork(checkpoint, request), signal, {
    restartSessions: request.restartSessions ?? [],
    // A fork that cannot be completed is discarded, with what its patches did.
    prepare: (sandboxId) =>
      runPatches(
        deps,
        { orgId, checkpointId: checkpoint.id, sandboxId, appliedPatchIds: [] },
        async () => undefined,
        signal,
      ),
  });
}
