import { WireError } from "@opencomputer/protocol/api";
import type { Logger } from "pino";
import { waitForAll } from "../../concurrency/repeating-task.ts";
import type { Worker } from "../../worker/workers.ts";
import type { SandboxActivity } from "../lifecycle/sandbox-activity.ts";
import type { SandboxLifecycle } from "../lifecycle/sandbox-lifecycle.ts";
import type { SandboxRemoval } from "../lifecycle/sandbox-removal.ts";
import type {
  IdleSandbox,
  SandboxMaintenanceRepository,
} from "../rows/sandbox-maintenance-repository.ts";

/** How long a stopped sandbox can still be read before its row is deleted. */
const stoppedRetentionMilliseconds = 10 * 60 * 1000;
/** After a failed hibernation the next one waits this long. */
const retryMilliseconds = 60 * 1000;
/** A sandbox that is itself the reason of so many failures cannot be hibernated. */
const attemptsMax = 3;
/** Hibernations at once: each writes a sandbox's memory to the disk. */
const hibernationsMax = 4;
/** Hibernations of one org at once while others have idle sandboxes: its guests may take long. */
const hibernationsPerOrgMax = hibernationsMax - 1;
/** What a sweep waits for its hibernations. */
const waitMilliseconds = 5_000;

/**
 * The code of failures that the sandbox causes. After any other, such as an I/O error of the host's
 * disk or a lost connection to the database, it may be hibernated later: killing it would lose its data.
 */
const causedBySandbox = "guest_failed";

interface Failures {
  attempts: number;
  retryAt: number;
}

/**
 * Hibernates what has been idle for its time-out, and deletes the rows of what was
 * stopped a while ago. A sandbox is killed only when hibernating it fails several
 * times because of the sandbox itself, and not of the host or the service.
 *
 * A hibernation that takes long keeps its place, and no other waiting.
 */
export function createIdleSweep(
  deps: {
    maintenance: Pick<SandboxMaintenanceRepository, "listIdle" | "touch" | "deleteStoppedBefore">;
    /** Counts use through any control plane, and use of the CPU. */
    workers: { of(sandbox: { id: string }): Pick<Worker, "useOf"> };
    activity: Pick<SandboxActivity, "lastActiveAt">;
    lifecycle: Pick<SandboxLifecycle, "hibernateIdle" | "isHeld">;
    removal: Pick<SandboxRemoval, "kill">;
    now: () => number;
    logger: Logger;
  },
  options = { waitMilliseconds },
): () => Promise<void> {
  const { maintenance, workers, activity, lifecycle, removal, now, logger } = deps;
  const failures = new Map<string, Failures>();
  /** The orgs of the sandboxes that are being hibernated. */
  const underWay = new Map<string, string>();

  function isDue({ id, lastActiveAt, idleTimeoutSeconds }: IdleSandbox): boolean {
    const usedAt = activity.lastActiveAt(id, lastActiveAt).getTime();
    if (usedAt + idleTimeoutSeconds * 1000 > now()) return false;
    const isFree = !lifecycle.isHeld(id) && !underWay.has(id);
    return (failures.get(id)?.retryAt ?? 0) <= now() && isFree;
  }

  /**
   * Whether the worker reports use within the time-out, which is stored like
   * any use. While the worker does not respond, nothing is hibernated.
   */
  async function wasUsed({ id, idle, idleTimeoutSeconds }: IdleSandbox): Promise<boolean> {
    try {
      const { lastUsedAt, operations, cpuLastUsedAt } = await workers.of({ id }).useOf(id);
      const times = [lastUsedAt, idle === "cpu" ? cpuLastUsedAt : null];
      const latest = Math.max(
        ...times.map((time) => (time === null ? Number.NEGATIVE_INFINITY : Date.parse(time))),
      );
      const usedAt = operations > 0 ? now() : latest;
      if (usedAt + idleTimeoutSeconds * 1000 <= now()) return false;
      await maintenance.touch(id, new Date(usedAt));
    } catch (error) {
      if (error instanceof WireError && error.code === "sandbox_not_found") return false;
      failures.set(id, { attempts: 0, retryAt: now() + retryMilliseconds });
      logger.warn(
        { sandboxId: id, err: error },
        "the worker did not report whether a sandbox is used",
      );
    }
    return true;
  }

  async function hibernate({ id, orgId }: IdleSandbox): Promise<void> {
    try {
      await lifecycle.hibernateIdle(orgId, id);
      failures.delete(id);
    } catch (error) {
      const isOwn = error instanceof WireError && error.code === causedBySandbox;
      const attempts = (failures.get(id)?.attempts ?? 0) + (isOwn ? 1 : 0);
      failures.set(id, { attempts, retryAt: now() + retryMilliseconds });
      logger.warn({ sandboxId: id, attempts, err: error }, "an idle sandbox was not hibernated");
      if (attempts >= attemptsMax) await kill(id, orgId);
    }
  }

  /** Never rejects. */
  async function begin(sandbox: IdleSandbox): Promise<void> {
    underWay.set(sandbox.id, sandbox.orgId);
    try {
      await hibernate(sandbox);
    } finally {
      underWay.delete(sandbox.id);
    }
  }

  async function kill(id: string, orgId: string): Promise<void> {
    try {
      await removal.kill(orgId, id, "hibernation_failed");
      failures.delete(id);
    } catch (error) {
      logger.warn(
        { sandboxId: id, err: error },
        "an idle sandbox was not killed; the next sweep tries again",
      );
    }
  }

  return async () => {
    const idle = await maintenance.listIdle(new Date(now()));
    const known = new Set(idle.map(({ id }) => id));
    for (const id of failures.keys()) {
      if (!known.has(id) && !underWay.has(id)) failures.delete(id);
    }
    const due = new Set(idle.filter(isDue));
    /** The orgs of the places that are taken. */
    const taken = [...underWay.values()];
    const begun: Promise<void>[] = [];
    for (const perOrgMax of [hibernationsPerOrgMax, hibernationsMax]) {
      for (const sandbox of due) {
        const ofOrg = taken.filter((orgId) => orgId === sandbox.orgId);
        if (taken.length >= hibernationsMax || ofOrg.length >= perOrgMax) continue;
        due.delete(sandbox);
        if (await wasUsed(sandbox)) continue;
        taken.push(sandbox.orgId);
        begun.push(begin(sandbox));
      }
    }
    await waitForAll(begun, options.waitMilliseconds);
    await maintenance.deleteStoppedBefore(new Date(now() - stoppedRetentionMilliseconds));
  };
}
