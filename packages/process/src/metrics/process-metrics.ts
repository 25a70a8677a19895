import { collectDefaultMetrics, Registry } from "prom-client";

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
        collectDefaultMetrics({ register: registry });
      }
      return await registry.metrics();
    },
  };
}
