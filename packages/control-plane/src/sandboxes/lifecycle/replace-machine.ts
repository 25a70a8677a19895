import type { Tracer } from "@opencomputer/process";
import { WireError } from "@opencomputer/protocol/api";
import type { WorkerSandbox } from "@opencomputer/protocol/wire";
import type { Workers } from "../../worker/workers.ts";
import type { HeldSandboxRow, SandboxChanges, SandboxRow } from "../rows/sandbox-repository.ts";
import { bringUpMachine } from "./machine-transitions.ts";
import { type ReconcileSandboxDeps, reconcileSandbox } from "./reconcile-sandbox.ts";
import type { SandboxActivity } from "./sandbox-activity.ts";
import type { SandboxLifecycle } from "./sandbox-lifecycle.ts";

export interface ReplaceMachineDeps extends ReconcileSandboxDeps {
  activity: SandboxActivity;
  lifecycle: SandboxLifecycle;
  workers: Workers;
  tracer: Tracer;
}

export interface MachineReplacement {
  name: "restore" | "reboot";
  /** Fields of its log lines, besides the sandbox's id. */
  details: object;
  /** Rejects before anything of the running state is lost. */
  assertPossible(): Promise<void>;
  /** Has the worker replace the machine. */
  replace(row: SandboxRow): Promise<WorkerSandbox>;
  /** Columns of the row that change with the machine. */
  changes: SandboxChanges;
  /** The message of the `outcome_unknown` that operations under way end with. */
  interruption: string;
}

/**
 * Replaces the machine of a sandbox, and resolves when the sandbox runs on it.
 * One that is hibernated is woken first. Operations under way are interrupted;
 * those that come meanwhile wait.
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
      await deps.workers.of(row).assertReady();
      await replacement.assertPossible();
      try {
        await deps.tracer.span(`${name} sandbox`, () => replace(deps, row, replacement), {
          sandboxId: id,
        });
      } catch (error) {
        logger.warn({ sandboxId: id, ...details, err: error }, `a ${name} failed`);
        await reconcileSandbox(deps, row).catch((cause: unknown) => {
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
  deps: ReplaceMachineDeps,
  row: HeldSandboxRow,
  replacement: MachineReplacement,
): Promise<void> {
  const { orgId, id, transitionId } = row;
  const sandbox = { orgId, id, transitionId, state: "restoring", memoryLost: null } as const;
  if (!(await deps.sandboxes.changeHeld(row, { state: "restoring" }))) {
    throw new WireError("sandbox_not_running", `Sandbox ${id} is stopped`, {
      remediation: "oc create",
    });
  }
  const machine = await replacement.replace(row);
  await bringUpMachine(deps, sandbox, machine, {
    lastActiveAt: new Date(),
    ...replacement.changes,
  });
}
