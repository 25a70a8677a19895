import { WireError } from "@opencomputer/protocol";
import type { Logger } from "pino";
import type { WorkerClient } from "../worker/worker-client.ts";
import type { SandboxActivity } from "./sandbox-activity.ts";
import type { SandboxLifecycle } from "./sandbox-lifecycle.ts";
import type { SandboxRemoval } from "./sandbox-removal.ts";
import type { IdleSandbox, SandboxUpkeepRepository } from "./sandbox-repository.ts";

/** How long a stopped sandbox still answers before it is forgotten. */
const stoppedRetentionMilliseconds = 10 * 60 * 1000;
/** After a failed hibernation the next one waits this long. */
const retryMilliseconds = 60 * 1000;
/** A sandbox that fails this often in its own right cannot be hibernated. */
const attemptsMax = 3;
/** Hibernations at once: each writes a sandbox's memory to the disk. */
const hibernationsMax = 4;

/** What says nothing about the sandbox itself: it may be hibernated later. */
const passing: readonly string[] = [
  "host_storage_full",
  "capacity_exhausted",
  "worker_unavailable",
  "egress_proxy_unavailable",
  "outcome_unknown",
  "too_many_requests",
];

interface Failures {
  attempts: number;
  retryAt: number;
}

/**
 * Hibernates what has been idle for its time-out and forgets what was stopped
 * a while ago. A sandbox is killed only when it cannot be hibernated for a
 * reason of its own, several times: a full disk or an absent worker passes.
 */
export function createIdleSweep(deps: {
  upkeep: Pick<SandboxUpkeepRepository, "listIdle" | "touch" | "deleteStoppedBefore">;
  /** What counts the use that passes through whichever control plane, and that of the CPU. */
  worker: Pick<WorkerClient, "useOf">;
  activity: Pick<SandboxActivity, "lastActiveAt">;
  lifecycle: Pick<SandboxLifecycle, "hibernateIdle" | "isHeld">;
  removal: Pick<SandboxRemoval, "kill">;
  now: () => number;
  logger: Logger;
}): () => Promise<void> {
  const { upkeep, worker, activity, lifecycle, removal, now, logger } = deps;
  const failures = new Map<string, Failures>();

  function isDue({ id, lastActiveAt, idleTimeoutSeconds }: IdleSandbox): boolean {
    const usedAt = activity.lastActiveAt(id, lastActiveAt).getTime();
    if (usedAt + idleTimeoutSeconds * 1000 > now()) return false;
    return (failures.get(id)?.retryAt ?? 0) <= now() && !lifecycle.isHeld(id);
  }

  /**
   * Whether the worker knows of use within the time-out, which is written down
   * as any use. While the worker cannot tell, nothing is hibernated.
   */
  async function wasUsed({ id, idle, idleTimeoutSeconds }: IdleSandbox): Promise<boolean> {
    try {
      const { lastUsedAt, operations, cpuLastUsedAt } = await worker.useOf(id);
      const times = [lastUsedAt, idle === "cpu" ? cpuLastUsedAt : null];
      const latest = Math.max(
        ...times.map((time) => (time === null ? Number.NEGATIVE_INFINITY : Date.parse(time))),
      );
      const usedAt = operations > 0 ? now() : latest;
      if (usedAt + idleTimeoutSeconds * 1000 <= now()) return false;
      await upkeep.touch(id, new Date(usedAt));
    } catch (error) {
      if (error instanceof WireError && error.code === "sandbox_not_found") return false;
      failures.set(id, { attempts: 0, retryAt: now() + retryMilliseconds });
      logger.warn({ sandboxId: id, err: error }, "it is not known whether a sandbox is used");
    }
    return true;
  }

  async function hibernate({ id, orgId }: IdleSandbox): Promise<void> {
    try {
      await lifecycle.hibernateIdle(orgId, id);
      failures.delete(id);
    } catch (error) {
      const isPassing = error instanceof WireError && passing.includes(error.code);
      const attempts = (failures.get(id)?.attempts ?? 0) + (isPassing ? 0 : 1);
      failures.set(id, { attempts, retryAt: now() + retryMilliseconds });
      logger.warn({ sandboxId: id, attempts, err: error }, "an idle sandbox was not hibernated");
      if (attempts >= attemptsMax) await kill(id, orgId);
    }
  }

  async function kill(id: string, orgId: string): Promise<void> {
    try {
      await removal.kill(orgId, id, "idle, and it cannot be hibernated");
      failures.delete(id);
    } catch (error) {
      logger.warn({ sandboxId: id, err: error }, "an idle sandbox waits for the next sweep");
    }
  }

  return async () => {
    const idle = await upkeep.listIdle(new Date(now()));
    const known = new Set(idle.map(({ id }) => id));
    for (const id of failures.keys()) if (!known.has(id)) failures.delete(id);
    const due: IdleSandbox[] = [];
    for (const sandbox of idle.filter(isDue)) {
      if (due.length < hibernationsMax && !(await wasUsed(sandbox))) due.push(sandbox);
    }
    await Promise.all(due.map(hibernate));
    await upkeep.deleteStoppedBefore(new Date(now() - stoppedRetentionMilliseconds));
  };
}
