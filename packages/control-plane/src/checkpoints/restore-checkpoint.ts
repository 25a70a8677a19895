import { WireError } from "@opencomputer/protocol";
import { type ReplaceMachineDeps, replaceMachine } from "../sandboxes/replace-machine.ts";
import { sandboxEnvironment } from "../sandboxes/sandbox-environment.ts";
import type { SandboxRow } from "../sandboxes/sandbox-repository.ts";
import type { WorkerClient } from "../worker/worker-client.ts";
import type { CheckpointRow } from "./checkpoint-repository.ts";

export interface RestoreDeps extends ReplaceMachineDeps {
  worker: Pick<WorkerClient, "listCheckpoints" | "restore">;
}

/**
 * Puts a sandbox back to one of its own checkpoints, and resolves when it
 * runs there. Operations under way end with `outcome_unknown`; those that
 * come meanwhile wait.
 *
 * Only the machine goes back. The tokens, the policy and the plain variables
 * of a sandbox never change after its create, and a rotation reaches sandbox
 * and checkpoint alike: so what the sandbox has is what the checkpoint has,
 * with the values of today.
 *
 * @throws {WireError} `sandbox_not_running`, `checkpoint_failed`, and what the worker reports.
 */
export function restoreCheckpoint(
  deps: RestoreDeps,
  sandbox: Pick<SandboxRow, "orgId" | "id">,
  { id: checkpointId, appliedPatchIds }: Pick<CheckpointRow, "id" | "appliedPatchIds">,
): Promise<void> {
  const { sandboxes, worker } = deps;
  return replaceMachine(deps, sandbox, {
    name: "restore",
    details: { checkpointId },
    async assertPossible() {
      const checkpoints = await worker.listCheckpoints();
      if (checkpoints.some((checkpoint) => checkpoint.checkpointId === checkpointId)) return;
      throw new WireError("checkpoint_failed", `The files of checkpoint ${checkpointId} are lost`);
    },
    async replace({ orgId, id, envs, egressMode }) {
      const secrets = await sandboxes.listSecrets(orgId, id);
      const variables = sandboxEnvironment(secrets, envs);
      return worker.restore(id, { checkpointId, egressMode, envs: variables });
    },
    changes: { appliedPatchIds },
    interruption: `Sandbox ${sandbox.id} was put back to a checkpoint during this operation`,
  });
}
