import type { ObserveWork, Tracer } from "@opencomputer/process";
import { otherPortsOf, WireError } from "@opencomputer/protocol/api";
import type { Logger } from "pino";
import type { OrgTransactions } from "../../orgs/org-repository.ts";
import { assertRunningLimit } from "../../orgs/sandbox-limits.ts";
import { type RunPatchesDeps, runPatches } from "../../patches/run-patches.ts";
import type { Workers } from "../../worker/workers.ts";
import { sandboxEnvironment } from "../plan/sandbox-environment.ts";
import type {
  HeldSandbox,
  HeldSandboxRow,
  SandboxChanges,
  SandboxRepository,
} from "../rows/sandbox-repository.ts";
import {
  bringUpMachine,
  hibernateMachine,
  type MachineTransitionDeps,
} from "./machine-transitions.ts";

export interface WakeSandboxDeps extends RunPatchesDeps, MachineTransitionDeps {
  orgTransactions: OrgTransactions;
  sandboxes: SandboxRepository;
  workers: Workers;
  /** How many sandboxes an org may run at once. */
  sandboxesPerOrgMax: number;
  /** How many of one API key; undefined for no such bound. */
  sandboxesPerKeyMax: number | undefined;
  /** Measures each wake, whatever request or preview it is for. */
  observeWake: ObserveWork;
  tracer: Tracer;
  logger: Logger;
}

/**
 * Wakes a hibernated sandbox that is held. As in a create, the machine gets its
 * slot and its session before the guest runs on; then the patches run that have
 * not run in a fork, and only then the operation that needed the wake. A wake that
 * is not allowed changes nothing; one that fails later leaves the sandbox hibernated.
 */
export async function wakeSandbox(deps: WakeSandboxDeps, row: HeldSandboxRow): Promise<void> {
  const { sandboxes, workers, logger } = deps;
  const { orgId, id, egressMode, egressAllowlist } = row;
  const worker = workers.of(row);
  await worker.assertReady();
  const envs = sandboxEnvironment(await sandboxes.listSecrets(orgId, id), row.envs);
  const sandbox = await admitWake(deps, row);
  try {
    const egressPorts = otherPortsOf(egressAllowlist);
    const machine = await worker.wake(id, { egressMode, egressPorts, envs });
    await bringUpMachine(deps, sandbox, machine, { lastActiveAt: new Date() }, () =>
      patch(deps, row, sandbox),
    );
  } catch (error) {
    logger.warn({ sandboxId: id, err: error }, "a wake failed");
    await hibernateAgain(deps, sandbox);
    throw withoutDoubt(error, id);
  }
}

async function admitWake(deps: WakeSandboxDeps, row: HeldSandboxRow): Promise<HeldSandbox> {
  const { orgId, id, apiKeyId, transitionId, memoryLost } = row;
  await deps.orgTransactions.run(orgId, async (transaction) => {
    await assertRunningLimit(transaction, deps, { orgId, apiKeyId });
    if (await deps.sandboxes.changeHeld(row, { state: "waking" }, { transaction })) return;
    throw new WireError("sandbox_not_running", `Sandbox ${id} is stopped`, {
      remediation: "oc create",
    });
  });
  return { orgId, id, transitionId, memoryLost, state: "waking" };
}

async function hibernateAgain(deps: WakeSandboxDeps, sandbox: HeldSandbox): Promise<void> {
  try {
    await hibernateMachine(deps, sandbox, { reason: "reconciled" });
  } catch (error) {
    deps.logger.warn({ sandboxId: sandbox.id, err: error }, "a failed wake is reconciled later");
  }
}

/**
 * Runs the patches that have not run in a fork yet.
 *
 * @returns the changes of the row. Patches that have run are stored even when the wake fails later.
 */
async function patch(
  deps: WakeSandboxDeps,
  row: HeldSandboxRow,
  sandbox: HeldSandbox,
): Promise<SandboxChanges> {
  const { orgId, id: sandboxId, fromCheckpointId: checkpointId, appliedPatchIds } = row;
  if (checkpointId === null || appliedPatchIds === null) return {};
  return runPatches(
    deps,
    { orgId, sandboxId, checkpointId, appliedPatchIds },
    async (applied) => {
      await deps.sandboxes.changeHeld(sandbox, { appliedPatchIds: applied });
    },
    // The caller that asked for the wake may leave: others may share it.
    new AbortController().signal,
  );
}

/** The operation that needed the wake has not begun, so its outcome is not in doubt. */
function withoutDoubt(error: unknown, sandboxId: string): unknown {
  if (!(error instanceof WireError) || error.code !== "outcome_unknown") return error;
  return new WireError(
    "worker_unavailable",
    `Sandbox ${sandboxId} is hibernated and was not woken: the worker was lost meanwhile; try again`,
    { cause: error },
  );
}
