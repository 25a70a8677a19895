import { WireError } from "@opencomputer/protocol";
import type { Logger } from "pino";
import type { KeyedLock } from "./keyed-lock.ts";
import type { MachineTransitions } from "./machine-transitions.ts";
import type { SandboxActivity } from "./sandbox-activity.ts";
import type { SandboxRepository, SandboxRow } from "./sandbox-repository.ts";
import { transitionalStates } from "./sandbox-states.ts";
import type { SettleSandbox } from "./settle-sandbox.ts";
import type { WakeSandbox } from "./wake-sandbox.ts";

/**
 * Hibernation and waking. What moves a sandbox between states takes turns
 * with whatever else does; a kill alone goes ahead of it.
 *
 * Every method throws a {@link WireError}: `sandbox_not_found`,
 * `sandbox_not_running` for one that is stopped, else what the worker says.
 */
export interface SandboxLifecycle {
  /** The sandbox once it runs. Whoever asks for it at the same time shares one wake. */
  ensureRunning(orgId: string, sandboxId: string): Promise<SandboxRow>;
  /** Hibernates; operations under way end with `outcome_unknown`. */
  hibernate(orgId: string, sandboxId: string): Promise<{ sizeBytes: number }>;
  /** Hibernates unless an operation is under way by then. Says whether it did. */
  hibernateIdle(orgId: string, sandboxId: string): Promise<boolean>;
  /** Brings the row to what the worker has. */
  settle(orgId: string, sandboxId: string): Promise<void>;
  /** Work on a sandbox, running or hibernated, that stays so until the work is done. */
  hold<Result>(
    orgId: string,
    sandboxId: string,
    work: (row: SandboxRow) => Promise<Result>,
  ): Promise<Result>;
  /** As {@link hold}, and the sandbox runs. */
  holdRunning<Result>(
    orgId: string,
    sandboxId: string,
    work: (row: SandboxRow) => Promise<Result>,
  ): Promise<Result>;
  /** Whether the sandbox is held now. */
  isHeld(sandboxId: string): boolean;
}

export function createSandboxLifecycle(deps: {
  sandboxes: SandboxRepository;
  activity: SandboxActivity;
  transitions: MachineTransitions;
  settleSandbox: SettleSandbox;
  wakeSandbox: WakeSandbox;
  lock: KeyedLock;
  logger: Logger;
}): SandboxLifecycle {
  const { sandboxes, activity, transitions, settleSandbox, wakeSandbox, lock, logger } = deps;
  const wakes = new Map<string, Promise<SandboxRow>>();

  async function findPresent(orgId: string, sandboxId: string): Promise<SandboxRow> {
    return assertPresent(await sandboxes.find(orgId, sandboxId), sandboxId);
  }

  /** What an earlier process or a lost worker left in between is resolved first. */
  async function findSettled(orgId: string, sandboxId: string): Promise<SandboxRow> {
    const row = await findPresent(orgId, sandboxId);
    if (!transitionalStates.includes(row.state)) return row;
    return assertPresent(await settleSandbox(orgId, sandboxId), sandboxId);
  }

  const hold: SandboxLifecycle["hold"] = (orgId, sandboxId, work) =>
    lock.run(sandboxId, async () => work(await findSettled(orgId, sandboxId)));

  const holdRunning: SandboxLifecycle["holdRunning"] = (orgId, sandboxId, work) =>
    hold(orgId, sandboxId, async (row) => {
      if (row.state === "running") return work(row);
      await wakeSandbox(row);
      logger.info({ sandboxId }, "sandbox woken");
      return work(await findPresent(orgId, sandboxId));
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

  /** The row says it before the worker acts, and what fails is told by the worker afterwards. */
  async function hibernate(row: SandboxRow, unless: () => boolean): Promise<number | undefined> {
    const { orgId, id } = row;
    const sandbox = { orgId, id, state: "hibernating" } as const;
    if (!(await sandboxes.change(orgId, id, ["running"], { state: "hibernating" }))) {
      throw notRunning(id);
    }
    if (unless()) {
      await sandboxes.change(orgId, id, ["hibernating"], { state: "running" });
      return undefined;
    }
    try {
      return (await transitions.putToSleep(sandbox)).sizeBytes;
    } catch (error) {
      const settled = await settleSandbox(orgId, id).catch((cause: unknown) => {
        logger.warn({ sandboxId: id, err: cause }, "a failed hibernation is settled later");
      });
      if (settled?.state !== "hibernated") throw error;
      logger.warn({ sandboxId: id, err: error }, "the answer of a hibernation was lost");
      return settled.hibernatedBytes ?? 0;
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
        const sizeBytes = (await hibernate(row, () => false)) ?? 0;
        activity.interrupt(sandboxId, interrupted(sandboxId));
        logger.info({ sandboxId, sizeBytes }, "sandbox hibernated");
        return { sizeBytes };
      }),

    hibernateIdle: (orgId, sandboxId) =>
      hold(orgId, sandboxId, async (row) => {
        if (row.state !== "running") return false;
        const isInUse = () => activity.isInUse(sandboxId);
        const sizeBytes = isInUse() ? undefined : await hibernate(row, isInUse);
        if (sizeBytes === undefined) return false;
        activity.interrupt(sandboxId, interrupted(sandboxId));
        logger.info({ sandboxId, sizeBytes, reason: "idle time-out" }, "sandbox hibernated");
        return true;
      }),

    async settle(orgId, sandboxId) {
      await lock.run(sandboxId, () => settleSandbox(orgId, sandboxId));
    },

    hold,
    holdRunning,
    isHeld: (sandboxId) => lock.isHeld(sandboxId),
  };
}

function assertPresent(row: SandboxRow | undefined, sandboxId: string): SandboxRow {
  if (row === undefined || row.state === "creating") {
    throw new WireError("sandbox_not_found", `sandbox not found: ${sandboxId}`);
  }
  if (row.state === "killing" || row.state === "stopped") throw notRunning(sandboxId);
  return row;
}

function notRunning(sandboxId: string): WireError {
  return new WireError("sandbox_not_running", `Sandbox ${sandboxId} is stopped`);
}

function interrupted(sandboxId: string): WireError {
  return new WireError(
    "outcome_unknown",
    `Sandbox ${sandboxId} was hibernated during this operation, which may or may not have taken effect`,
  );
}
