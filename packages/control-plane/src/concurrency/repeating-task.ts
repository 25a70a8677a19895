import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";

export interface RepeatingTask {
  /** Resolves when the run under way, if any, has ended; none begins after it. */
  stop(): Promise<void>;
}

/** Runs work at once and then again `intervalMilliseconds` after each run has ended. */
export function startRepeatingTask(options: {
  name: string;
  intervalMilliseconds: number;
  work: () => Promise<void>;
  logger: Logger;
}): RepeatingTask {
  const { name, intervalMilliseconds, work, logger } = options;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  let current = run();

  async function run(): Promise<void> {
    try {
      await work();
    } catch (error) {
      logger.error({ task: name, err: error }, "a repeated task failed; it is tried again");
    }
    if (stopped) return;
    timer = setTimeout(() => {
      current = run();
    }, intervalMilliseconds);
  }

  return {
    async stop() {
      stopped = true;
      clearTimeout(timer);
      await current;
    },
  };
}

/** Runs the work once at a time: calls meanwhile share the run under way. */
export function shareRunning(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  return () => {
    running ??= work().finally(() => {
      running = undefined;
    });
    return running;
  };
}

/** Returns when all of the work is done, or the time is over; what is not done continues. */
export async function waitForAll(
  work: readonly Promise<void>[],
  milliseconds: number,
): Promise<void> {
  const waiting = new AbortController();
  const timeOut = delay(milliseconds, undefined, { signal: waiting.signal });
  await Promise.race([Promise.all(work), timeOut.catch(() => undefined)]);
  waiting.abort();
}
