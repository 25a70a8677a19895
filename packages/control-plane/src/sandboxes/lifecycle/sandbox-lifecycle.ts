import { WireError } from "@opencomputer/protocol/api";
import type { HeldSandboxRow, SandboxRepository, SandboxRow } from "../rows/sandbox-repository.ts";
import { transitionalStates } from "../rows/sandbox-states.ts";
import { type HibernationCause, hibernateMachine } from "./machine-transitions.ts";
import { type ReconcileSandboxDeps, reconcileSandbox } from "./reconcile-sandbox.ts";
import type { SandboxActivity } from "./sandbox-activity.ts";
import type { Transitions } from "./transitions.ts";
import { type WakeSandboxDeps, wakeSandbox } from "./wake-sandbox.ts";

/**
 * Hibernates and wakes sandboxes. Every change of a sandbox's state happens in a
 * transition, which one caller holds, except a kill, which does not wait for it.
 *
 * Every method throws a {@link WireError}: `sandbox_not_found`,
 * `sandbox_not_running` for one that is stopped, else what the worker reports.
 */
export interface SandboxLifecycle {
  /** Resolves with the sandbox once it runs. Calls at the same time share one wake. */
  ensureRunning(orgId: string, sandboxId: string): Promise<SandboxRow>;
  /** Hibernates; operations under way end with `outcome_unknown`. */
  hibernate(orgId: string, sandboxId: string): Promise<{ sizeBytes: number }>;
  /** Hibernates unless an operation is under way by then; returns whether it did. */
  hibernateIdle(orgId: string, sandboxId: string): Promise<boolean>;
  /** Changes the row to match what the worker has. */
  reconcile(orgId: string, sandboxId: string): Promise<void>;
  /** Does work on a sandbox, running or hibernated, whose state does not change until the work is done. */
  hold<Result>(
    orgId: string,
    sandboxId: string,
    work: (row: HeldSandboxRow) => Promise<Result>,
  ): Promise<Result>;
  /** As {@link hold}, and the sandbox runs. */
  holdRunning<Result>(
    orgId: string,
    sandboxId: string,
    work: (row: HeldSandboxRow) => Promise<Result>,
  ): Promise<Result>;
  /** Whether a caller of this control plane holds the sandbox now, or waits for it. */
  isHeld(sandboxId: string): boolean;
}

export interface SandboxLifecycleDeps extends WakeSandboxDeps, ReconcileSandboxDeps {
  sandboxes: SandboxRepository;
  activity: SandboxActivity;
  transitions: Transitions;
}

export function createSandboxLifecycle(deps: SandboxLifecycleDeps): SandboxLifecycle {
  const { sandboxes, activity, transitions, logger } = deps;
  const wakes = new Map<string, Promise<SandboxRow>>();

  async function findPresent(orgId: string, sandboxId: string): Promise<SandboxRow> {
    return assertPresent(await sandboxes.find(orgId, sandboxId), sandboxId);
  }

  /** A state that an earlier process or a lost worker left in between is reconciled first. */
  async function reconcileIfBetween(row: HeldSandboxRow): Promise<HeldSandboxRow> {
    if (!transitionalStates.includes(row.state)) return row;
    return assertPresent(await reconcileSandbox(deps, row), row.id);
  }

  const hold: SandboxLifecycle["hold"] = async (orgId, sandboxId, work) => {
    const held = await transitions.hold(orgId, sandboxId, async (row) =>
      work(await reconcileIfBetween(row)),
    );
    if (held !== undefined) return held.result;
    await findPresent(orgId, sandboxId);
    throw notRunning(sandboxId);
  };

  const holdRunning: SandboxLifecycle["holdRunning"] = (orgId, sandboxId, work) =>
    hold(orgId, sandboxId, async (row) => {
      if (row.state === "running") return work(row);
      await deps.observeWake(() =>
        deps.tracer.trace("wake sandbox", () => wakeSandbox(deps, row), { sandboxId }),
      );
      logger.info({ sandboxId }, "sandbox woken");
      const { transitionId } = row;
      return work({ ...(await findPresent(orgId, sandboxId)), transitionId });
    });

  function shareWake(orgId: string, sandboxId: string): Promise<SandboxRow> {
    const shared = wakes.get(sandboxId);
    if (shared !== undefined) return shared;
    const wake = holdRunning(orgId, sandboxId, async (row) => row).finally(() => {
      wakes.delete(sandboxId);
    });
    wakes.set(sandboxId, wake);
    return wake;
  }

  /** The row states it before the worker acts; after a failure the worker reports what it has. */
  async function hibernateRow(
    row: HeldSandboxRow,
    cause: HibernationCause,
    unless: () => boolean,
  ): Promise<number | undefined> {
    const { orgId, id, transitionId, memoryLost } = row;
    const sandbox = { orgId, id, transitionId, memoryLost, state: "hibernating" } as const;
    if (!(await sandboxes.changeHeld(row, { state: "hibernating" }))) throw notRunning(id);
    if (unless()) {
      await sandboxes.changeHeld(sandbox, { state: "running" });
      return undefined;
    }
    try {
      const hibernate = () => hibernateMachine(deps, sandbox, cause);
      return (await deps.tracer.trace("hibernate sandbox", hibernate, { sandboxId: id })).sizeBytes;
    } catch (error) {
      const reconciled = await reconcileSandbox(deps, row).catch((cause: unknown) => {
        logger.warn({ sandboxId: id, err: cause }, "a failed hibernation is reconciled later");
      });
      if (reconciled?.state !== "hibernated") throw error;
      logger.warn({ sandboxId: id, err: error }, "the response to a hibernation was lost");
      return reconciled.hibernatedBytes ?? 0;
    }
  }

  return {
    async ensureRunning(orgId, sandboxId) {
      const row = await findPresent(orgId, sandboxId);
      return row.state === "running" ? row : shareWake(orgId, sandboxId);
    },

    hibernate: (orgId, sandboxId) =>
      hold(orgId, sandboxId, async (row) => {
        if (row.state === "hibernated") return { sizeBytes: row.hibernatedBytes ?? 0 };
        const sizeBytes = (await hibernateRow(row, { reason: "requested" }, () => false)) ?? 0;
        activity.interrupt(sandboxId, interrupted(sandboxId));
        logger.info({ sandboxId, sizeBytes }, "sandbox hibernated");
        return { sizeBytes };
      }),

    hibernateIdle: (orgId, sandboxId) =>
      hold(orgId, sandboxId, async (row) => {
        if (row.state !== "running") return false;
        const isInUse = () => activity.isInUse(sandboxId);
        const { idleTimeoutSeconds } = row;
        const cause = { reason: "idle", idleTimeoutSeconds } as const;
        const sizeBytes = isInUse() ? undefined : await hibernateRow(row, cause, isInUse);
        if (sizeBytes === undefined) return false;
        activity.interrupt(sandboxId, interrupted(sandboxId));
        logger.info({ sandboxId, sizeBytes, reason: "idle time-out" }, "sandbox hibernated");
        return true;
      }),

    async reconcile(orgId, sandboxId) {
      await transitions.hold(orgId, sandboxId, (row) => reconcileSandbox(deps, row));
    },

    hold,
    holdRunning,
    isHeld: transitions.isHeld,
  };
}

function assertPresent<Row extends SandboxRow>(row: Row | undefined, sandboxId: string): Row {
  if (row === undefined || row.state === "creating") {
    throw new WireError("sandbox_not_found", `sandbox not found: ${sandboxId}`, {
      remediation: "oc ls",
    });
  }
  if (row.state === "killing" || row.state === "stopped") throw notRunning(sandboxId);
  return row;
}

function notRunning(sandboxId: string): WireError {
  return new WireError("sandbox_not_running", `Sandbox ${sandboxId} is stopped`, {
    remediation: "oc create",
  });
}

function interrupted(sandboxId: string): WireError {
  return new WireError(
    "outcome_unknown",
    `Sandbox ${sandboxId} was hibernated during this operation, which may or may not have taken effect`,
  );
}
