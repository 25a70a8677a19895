import { WireError } from "@opencomputer/protocol";
import type { Logger } from "pino";
import type { EgressProxyLink } from "../egress-proxy/egress-proxy-link.ts";
import type { MachineTransitions } from "../sandboxes/machine-transitions.ts";
import type { SandboxActivity } from "../sandboxes/sandbox-activity.ts";
import { sandboxEnvironment } from "../sandboxes/sandbox-environment.ts";
import type { SandboxLifecycle } from "../sandboxes/sandbox-lifecycle.ts";
import type { SandboxRepository, SandboxRow } from "../sandboxes/sandbox-repository.ts";
import type { SettleSandbox } from "../sandboxes/settle-sandbox.ts";
import type { WorkerClient } from "../worker/worker-client.ts";
import type { WorkerLink } from "../worker/worker-link.ts";
import type { CheckpointRow } from "./checkpoint-repository.ts";

/** @throws {WireError} `sandbox_not_running`, `checkpoint_failed`, and what the worker says. */
export type RestoreCheckpoint = (
  sandbox: SandboxRow,
  checkpoint: Pick<CheckpointRow, "id" | "appliedPatchIds">,
) => Promise<void>;

/**
 * Puts a sandbox back to one of its own checkpoints, and resolves when it
 * runs there. Operations under way end with `outcome_unknown`; those that
 * come meanwhile wait.
 *
 * Only the machine goes back. The tokens, the policy and the plain variables
 * of a sandbox never change after its create, and a rotation reaches sandbox
 * and checkpoint alike: so what the sandbox has is what the checkpoint has,
 * with the values of today.
 */
export function createRestoreCheckpoint(deps: {
  sandboxes: SandboxRepository;
  activity: SandboxActivity;
  lifecycle: SandboxLifecycle;
  transitions: MachineTransitions;
  settleSandbox: SettleSandbox;
  worker: WorkerClient;
  workerLink: WorkerLink;
  egressProxyLink: EgressProxyLink;
  logger: Logger;
}): RestoreCheckpoint {
  const { sandboxes, activity, lifecycle, transitions, worker, logger } = deps;

  /** Nothing of the running state is given up before this has passed. */
  async function assertPossible(checkpointId: string): Promise<void> {
    await deps.workerLink.assertReady();
    await deps.egressProxyLink.assertReady();
    const checkpoints = await worker.listCheckpoints();
    if (checkpoints.some((checkpoint) => checkpoint.checkpointId === checkpointId)) return;
    throw new WireError("checkpoint_failed", `The files of checkpoint ${checkpointId} are lost`);
  }

  async function restore(
    row: SandboxRow,
    { id: checkpointId, appliedPatchIds }: Pick<CheckpointRow, "id" | "appliedPatchIds">,
  ): Promise<void> {
    const { orgId, id, egressMode } = row;
    const envs = sandboxEnvironment(await sandboxes.listSecrets(orgId, id), row.envs);
    const sandbox = { orgId, id, state: "restoring" } as const;
    if (!(await sandboxes.change(orgId, id, [row.state], { state: "restoring" }))) {
      throw new WireError("sandbox_not_running", `Sandbox ${id} is stopped`);
    }
    const machine = await worker.restore(id, { checkpointId, egressMode, envs });
    await transitions.bringUp(sandbox, machine, { lastActiveAt: new Date(), appliedPatchIds });
  }

  async function settle(orgId: string, id: string): Promise<void> {
    try {
      await deps.settleSandbox(orgId, id);
    } catch (error) {
      logger.warn({ sandboxId: id, err: error }, "a failed restore is settled later");
    }
  }

  return async ({ orgId, id }, checkpoint) => {
    const checkpointId = checkpoint.id;
    const end = activity.begin(id);
    try {
      await lifecycle.holdRunning(orgId, id, async (row) => {
        await assertPossible(checkpointId);
        try {
          await restore(row, checkpoint);
        } catch (error) {
          logger.warn({ sandboxId: id, checkpointId, err: error }, "a restore failed");
          await settle(orgId, id);
          throw error;
        }
        activity.interrupt(id, interrupted(id));
        logger.info({ sandboxId: id, checkpointId }, "sandbox restored");
      });
    } finally {
      end();
    }
  };
}

function interrupted(sandboxId: string): WireError {
  return new WireError(
    "outcome_unknown",
    `Sandbox ${sandboxId} was put back to a checkpoint during this operation`,
  );
}
