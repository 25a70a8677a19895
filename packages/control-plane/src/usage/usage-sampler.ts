import { setTimeout as delay } from "node:timers/promises";
import { type MachineUsage, serviceLimits } from "@opencomputer/protocol/wire";
import type { Logger } from "pino";
import { shareRunning } from "../concurrency/repeating-task.ts";
import type { WorkerClient } from "../worker/worker-client.ts";

/** Reads the usage of all machines, and stores it. */
export interface UsageSampler {
  /** Reads it now; once at a time. */
  sample(): Promise<void>;
  /** Reads it unless it was read a moment ago; waits a little at most. Never rejects. */
  refresh(): Promise<void>;
}

/** How long a caller waits for a worker that does not respond; it then gets what is stored. */
const refreshMilliseconds = 2_000;

export function createUsageSampler(deps: {
  workers: { all(): readonly Pick<WorkerClient, "readUsage">[] };
  store: (readings: readonly MachineUsage[]) => Promise<void>;
  now: () => number;
  logger: Logger;
}): UsageSampler {
  const { workers, store, now, logger } = deps;
  let begunAt = Number.NEGATIVE_INFINITY;

  const sample = shareRunning(async () => {
    begunAt = now();
    await Promise.all(workers.all().map(async (worker) => store(await worker.readUsage())));
  });

  return {
    sample,
    async refresh() {
      if (now() - begunAt < serviceLimits.usageFreshSecondsMax * 1000) return;
      const waiting = new AbortController();
      const sampling = sample().catch((error: unknown) => {
        logger.debug({ err: error }, "usage could not be read for a request");
      });
      const timeOut = delay(refreshMilliseconds, undefined, { signal: waiting.signal });
      await Promise.race([sampling, timeOut.catch(() => undefined)]);
      waiting.abort();
    },
  };
}
