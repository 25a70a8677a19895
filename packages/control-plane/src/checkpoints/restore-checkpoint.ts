import { otherPortsOf, WireError } from "@opencomputer/protocol/api";
import { type ReplaceMachineDeps, replaceMachine } from "../sandboxes/lifecycle/replace-machine.ts";
import { sandboxEnvironment } from "../sandboxes/plan/sandbox-environment.ts";
import type { SandboxRow } from "../sandboxes/rows/sandbox-repository.ts";
import type { CheckpointRow } from "./checkpoint-repository.ts";

/**
 * Restores a sandbox to one of its own checkpoints, and resolves when it
 * runs from there. Operations under way end with `outcome_unknown`; those that
 * come meanwhile wait.
 *
 * Only the machine is restored. The tokens, the policy and the plain variables
 * of a sandbox never change after its create, and a rotation reaches sandbox
 * and checkpoint alike: so the sandbox has what the checkpoint has, with the
 * current values.
 *
 * @throws {WireError} `sandbox_not_running`, `checkpoint_failed`, and what the worker reports.
 */
export function restoreCheckpoint(
  deps: ReplaceMachineDeps,
  sandbox: Pick<SandboxRow, "orgId" | "id">,
  { id: checkpointId, appliedPatchIds }: Pick<CheckpointRow, "id" | "appliedPatchIds">,
): Promise<void> {
  const { sandboxes } = deps;
  const worker = deps.workers.of(sandbox);
  return replaceMachine(deps, sandbox, {
    name: "restore",
    details: { checkpointId },
    async assertPossible() {
      const checkpoints = await worker.listCheckpoints();
      if (checkpoints.some((checkpoint) => checkpoint.checkpointId === checkpointId)) return;
      throw new WireError("checkpoint_failed", `The files of checkpoint ${checkpointId} are lost`);
    },
    async replace({ orgId, id, envs, egressMode, egressAllowlist }) {
      const secrets = await sandboxes.listSecrets(orgId, id);
      const variables = sandboxEnvironment(secrets, envs);
      const egressPorts = otherPortsOf(egressAllowlist);
      return worker.restore(id, { checkpointId, egressMode, egressPorts, envs: variables });
    },
    changes: { appliedPatchIds },
    interruption: `Sandbox ${sandbox.id} was restored to a checkpoint during this operation, which may or may not have taken effect`,
  });
}
