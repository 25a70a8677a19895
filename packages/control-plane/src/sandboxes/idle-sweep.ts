import type { Logger } from "pino";
import type { SandboxActivity } from "./sandbox-activity.ts";
import type { SandboxRemoval } from "./sandbox-removal.ts";
import type { SandboxUpkeepRepository } from "./sandbox-repository.ts";

/** How long a stopped sandbox still answers before it is forgotten. */
const stoppedRetentionMilliseconds = 10 * 60 * 1000;

/** Kills what has been idle for its time-out and forgets what was stopped a while ago. */
export function createIdleSweep(deps: {
  upkeep: SandboxUpkeepRepository;
  activity: SandboxActivity;
  removal: SandboxRemoval;
  now: () => number;
  logger: Logger;
}): () => Promise<void> {
  const { upkeep, activity, removal, now, logger } = deps;

  return async () => {
    for (const sandbox of await upkeep.listIdle(new Date(now()))) {
      const { id, orgId, idleTimeoutSeconds } = sandbox;
      const lastActiveAt = activity.lastActiveAt(id, sandbox.lastActiveAt);
      if (lastActiveAt.getTime() + idleTimeoutSeconds * 1000 > now()) continue;
      try {
        await removal.kill(orgId, id, "idle time-out");
      } catch (error) {
        logger.warn({ sandboxId: id, err: error }, "an idle sandbox waits for the next sweep");
      }
    }
    await upkeep.deleteStoppedBefore(new Date(now() - stoppedRetentionMilliseconds));
  };
}
