import { collectDefaultMetrics, Registry } from "prom-client";

/**
 * Between two measurements of the event loop's delay. Each is a timer that fires also in a
 * process that has nothing else to do: every 10 ms they take a multiple of a scrape's CPU time.
 */
const eventLoopMilliseconds = 50;

/** The metrics of one process. */
export interface ProcessMetrics {
  /** What the process adds its own metrics to. */
  readonly registry: Registry;
  /**
   * What is measured now, in Prometheus' text format (version 0.0.4). CPU, memory
   * and the delay of the event loop are measured from the first call on.
   */
  read(): Promise<string>;
}

export function createProcessMetrics(): ProcessMetrics {
  const registry = new Registry();
  let measuresProcess = false;
  return {
    registry,
    async read() {
      if (!measuresProcess) {
        measuresProcess = true;
        collectDefaultMetrics({
          register: registry,
          eventLoopMonitoringPrecision: eventLoopMilliseconds,
        });
      }
      return await registry.metrics();
    },
  };
}
