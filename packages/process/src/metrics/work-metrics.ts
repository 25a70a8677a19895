import { WireError } from "@opencomputer/protocol/api";
import { Counter, Histogram, type Registry } from "prom-client";
import { durationBuckets } from "./duration-buckets.ts";

/** Runs work and counts it by its outcome. */
export type ObserveWork = <Result>(work: () => Promise<Result>) => Promise<Result>;

/**
 * Counts one kind of work by its outcome, which is `ok` or the code of the
 * error, and measures how long it takes.
 *
 * @param name Of the metrics, such as `opencomputer_wake`.
 */
export function createWorkMetrics(
  registry: Registry,
  { name, help }: { name: string; help: string },
): ObserveWork {
  const outcomes = new Counter({
    name: `${name}s_total`,
    help: `${help}, by outcome: ok, or the code of the error`,
    labelNames: ["code"],
    registers: [registry],
  });
  // A rate is of two samples: the first outcome would otherwise not be one.
  outcomes.inc({ code: "ok" }, 0);
  const durations = new Histogram({
    name: `${name}_duration_seconds`,
    help: `${help}: how long it took`,
    buckets: durationBuckets,
    registers: [registry],
  });

  return async (work) => {
    const stopClock = durations.startTimer();
    let code = "ok";
    try {
      return await work();
    } catch (error) {
      code = error instanceof WireError ? error.code : "internal_error";
      throw error;
    } finally {
      outcomes.inc({ code });
      stopClock();
    }
  };
}
