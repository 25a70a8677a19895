import { WireError } from "@opencomputer/protocol";
import type { Logger } from "pino";
import type { EgressProxyLink } from "../egress-proxy/egress-proxy-link.ts";
import type { WorkerClient } from "../worker/worker-client.ts";
import type { WorkerLink } from "../worker/worker-link.ts";
import type { MachineTransitions } from "./machine-transitions.ts";
import type { SandboxActivity } from "./sandbox-activity.ts";
import type { SandboxLifecycle } from "./sandbox-lifecycle.ts";
import type { SandboxRepository, SandboxRow } from "./sandbox-repository.ts";
import type { SettleSandbox } from "./settle-sandbox.ts";

export interface RebootDeps {
  sandboxes: SandboxRepository;
  activity: SandboxActivity;
  lifecycle: SandboxLifecycle;
  transitions: MachineTransitions;
  settleSandbox: SettleSandbox;
  worker: WorkerClient;
  workerLink: WorkerLink;
  egressProxyLink: EgressProxyLink;
  logger: Logger;
}

/**
 * Boots a sandbox from its disk, and resolves when it takes commands. Orderly:
 * its processes are ended and its disk is written out first; else it ends at
 * once, as by a loss of power. Tokens, policy and files stay; sessions and
 * operations under way end with `outcome_unknown`. One that is hibernated is
 * woken first.
 *
 * @throws {WireError} `sandbox_not_running`, and what the worker reports.
 */
export async function rebootSandbox(
  deps: RebootDeps,
  { orgId, id }: Pick<SandboxRow, "orgId" | "id">,
  options: { orderly: boolean },
): Promise<void> {
  const { activity, lifecycle, logger } = deps;
  const end = activity.begin(id);
  try {
    await lifecycle.holdRunning(orgId, id, async (row) => {
      await deps.workerLink.assertReady();
      await deps.egressProxyLink.assertReady();
      try {
        await reboot(deps, row, options);
      } catch (error) {
        logger.warn({ sandboxId: id, err: error }, "a reboot failed");
        await deps.settleSandbox(orgId, id).catch((cause: unknown) => {
          logger.warn({ sandboxId: id, err: cause }, "a failed reboot is reconciled later");
        });
        throw error;
      }
      activity.interrupt(id, interrupted(id));
      logger.info({ sandboxId: id, ...options }, "sandbox rebooted");
    });
  } finally {
    end();
  }
}

async function reboot(
  { sandboxes, worker, transitions }: RebootDeps,
  { orgId, id, state }: SandboxRow,
  options: { orderly: boolean },
): Promise<void> {
  const sandbox = { orgId, id, state: "restoring" } as const;
  if (!(await sandboxes.change(orgId, id, [state], { state: "restoring" }))) {
    throw new WireError("sandbox_not_running", `Sandbox ${id} is stopped`);
  }
  const machine = await worker.reboot(id, options);
  await transitions.bringUp(sandbox, machine, { lastActiveAt: new Date(), memoryLost: null });
}

function interrupted(sandboxId: string): WireError {
  return new WireError(
    "outcome_unknown",
    `Sandbox ${sandboxId} was rebooted during this operation, which may or may not have taken effect`,
  );
}
