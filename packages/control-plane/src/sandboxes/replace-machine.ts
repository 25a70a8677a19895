import { WireError, type WorkerSandbox } from "@opencomputer/protocol";
import type { Logger } from "pino";
import type { EgressProxyLink } from "../egress-proxy/egress-proxy-link.ts";
import type { WorkerLink } from "../worker/worker-link.ts";
import type { MachineTransitions } from "./machine-transitions.ts";
import type { SandboxActivity } from "./sandbox-activity.ts";
import type { SandboxLifecycle } from "./sandbox-lifecycle.ts";
import type { SandboxChanges, SandboxRepository, SandboxRow } from "./sandbox-repository.ts";
import type { SettleSandbox } from "./settle-sandbox.ts";

export interface ReplaceMachineDeps {
  sandboxes: SandboxRepository;
  activity: SandboxActivity;
  lifecycle: SandboxLifecycle;
  transitions: MachineTransitions;
  settleSandbox: SettleSandbox;
  workerLink: WorkerLink;
  egressProxyLink: EgressProxyLink;
  logger: Logger;
}

export interface MachineReplacement {
  name: "restore" | "reboot";
  /** What the log adds to the sandbox's id. */
  details: object;
  /** Nothing of the running state is given up before this has passed. */
  assertPossible(): Promise<void>;
  /** Has the worker put another machine in the place of the sandbox's. */
  replace(row: SandboxRow): Promise<WorkerSandbox>;
  /** What of the row changes with the machine. */
  changes: SandboxChanges;
  /** The message of the `outcome_unknown` that operations under way end with. */
  interruption: string;
}

/**
 * Puts another machine in the place of a sandbox's, and resolves when the
 * sandbox runs on it. One that is hibernated is woken first. Operations under
 * way are interrupted; those that come meanwhile wait.
 *
 * @throws {WireError} `sandbox_not_running`, and what the worker reports.
 */
export async function replaceMachine(
  deps: ReplaceMachineDeps,
  { orgId, id }: Pick<SandboxRow, "orgId" | "id">,
  replacement: MachineReplacement,
): Promise<void> {
  const { activity, lifecycle, logger } = deps;
  const { name, details, interruption } = replacement;
  const end = activity.begin(id);
  try {
    await lifecycle.holdRunning(orgId, id, async (row) => {
      await deps.workerLink.assertReady();
      await deps.egressProxyLink.assertReady();
      await replacement.assertPossible();
      try {
        await replace(deps, row, replacement);
      } catch (error) {
        logger.warn({ sandboxId: id, ...details, err: error }, `a ${name} failed`);
        await deps.settleSandbox(orgId, id).catch((cause: unknown) => {
          logger.warn({ sandboxId: id, err: cause }, `a failed ${name} is reconciled later`);
        });
        throw error;
      }
      activity.interrupt(id, new WireError("outcome_unknown", interruption));
      logger.info({ sandboxId: id, ...details }, `a ${name} is complete`);
    });
  } finally {
    end();
  }
}

async function replace(
  { sandboxes, transitions }: ReplaceMachineDeps,
  row: SandboxRow,
  replacement: MachineReplacement,
): Promise<void> {
  const { orgId, id } = row;
  const sandbox = { orgId, id, state: "restoring" } as const;
  if (!(await sandboxes.change(orgId, id, [row.state], { state: "restoring" }))) {
    throw new WireError("sandbox_not_running", `Sandbox ${id} is stopped`);
  }
  const machine = await replacement.replace(row);
  await transitions.bringUp(sandbox, machine, {
    lastActiveAt: new Date(),
    ...replacement.changes,
  });
}
