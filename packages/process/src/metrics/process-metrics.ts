import { Registry } from "prom-client";
import eventLoopLag from "prom-client/lib/metrics/eventLoopLag.js";
import heapSizeAndUsed from "prom-client/lib/metrics/heapSizeAndUsed.js";
import heapSpacesSizeAndUsed from "prom-client/lib/metrics/heapSpacesSizeAndUsed.js";
import osMemoryHeap from "prom-client/lib/metrics/osMemoryHeap.js";
import processCpuTotal from "prom-client/lib/metrics/processCpuTotal.js";
import processHandles from "prom-client/lib/metrics/processHandles.js";
import processMaxFileDescriptors from "prom-client/lib/metrics/processMaxFileDescriptors.js";
import processOpenFileDescriptors from "prom-client/lib/metrics/processOpenFileDescriptors.js";
import processRequests from "prom-client/lib/metrics/processRequests.js";
import processResources from "prom-client/lib/metrics/processResources.js";
import processStartTime from "prom-client/lib/metrics/processStartTime.js";
import version from "prom-client/lib/metrics/version.js";

/**
 * Between two measurements of the event loop's delay. Each is a timer that fires also in a
 * process that has nothing else to do: every 10 ms they take a multiple of a scrape's CPU time.
 */
const eventLoopMilliseconds = 50;

/**
 * Those of `collectDefaultMetrics` but the durations of garbage collections: to observe one takes
 * about as long as a collection of the young generation, of which there are many where much passes.
 */
const processMetrics = [
  eventLoopLag,
  heapSizeAndUsed,
  heapSpacesSizeAndUsed,
  osMemoryHeap,
  processCpuTotal,
  processHandles,
  processMaxFileDescriptors,
  processOpenFileDescriptors,
  processRequests,
  processResources,
  processStartTime,
  version,
];

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
        for (const add of processMetrics) {
          add(registry, { eventLoopMonitoringPrecision: eventLoopMilliseconds });
        }
      }
      return await registry.metrics();
    },
  };
}
