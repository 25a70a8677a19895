import type { PrepareSandboxRequest, WorkerScaleRequest } from "@opencomputer/protocol/wire";
import pLimit from "p-limit";
import type { AgentClient } from "../guest/agent-client.ts";
import {
  type AutoscaleEvidence,
  autoscale,
  noEvidence,
  readingIntervalMilliseconds,
} from "./autoscale-rule.ts";
import { scalingOf } from "./sandbox-size.ts";

/** A running sandbox with its agent. */
export interface AutoscaledSandbox {
  readonly spec: PrepareSandboxRequest;
  readonly agent: Pick<AgentClient, "memoryUsedBytes">;
}

/** Readings of all sandboxes at the same time. A resizing, for which a guest may take long, keeps none from being read. */
const readingsMax = 16;

/**
 * Follows the use of the sandboxes that have autoscale enabled until it is
 * closed. A reading that fails counts as none.
 */
export function startAutoscaler(deps: {
  listRunning: () => AutoscaledSandbox[];
  scale: (
    sandboxId: string,
    request: WorkerScaleRequest,
    requester: "autoscale",
  ) => Promise<unknown>;
  log: { warn(details: object, message: string): void };
  intervalMilliseconds?: number;
}): { close(): void } {
  const evidences = new Map<string, AutoscaleEvidence>();
  const busy = new Set<string>();
  const limitReadings = pLimit(readingsMax);

  async function follow({ spec, agent }: AutoscaledSandbox): Promise<void> {
    const { sandboxId, memoryMB } = spec;
    const { autoscale: bounds } = scalingOf(spec);
    if (bounds === null) return;
    const memoryUsedBytes = await limitReadings(() => agent.memoryUsedBytes());
    const next = autoscale(
      evidences.get(sandboxId) ?? noEvidence,
      { memoryMB, memoryUsedBytes },
      bounds,
    );
    evidences.set(sandboxId, next.evidence);
    if (next.memoryMB === memoryMB) return;
    await deps.scale(sandboxId, { memoryMB: next.memoryMB, cpuPercent: null }, "autoscale");
  }

  function tick(): void {
    const followed = deps.listRunning().filter(({ spec }) => {
      const { autoscale: bounds, locked } = scalingOf(spec);
      return bounds?.enabled === true && !locked;
    });
    const ids = new Set(followed.map(({ spec }) => spec.sandboxId));
    for (const id of evidences.keys()) if (!ids.has(id)) evidences.delete(id);
    for (const sandbox of followed) {
      const { sandboxId } = sandbox.spec;
      if (busy.has(sandboxId)) continue;
      busy.add(sandboxId);
      void follow(sandbox)
        .catch((error: unknown) => {
          evidences.delete(sandboxId);
          deps.log.warn({ sandboxId, err: error }, "A sandbox could not be autoscaled");
        })
        .finally(() => busy.delete(sandboxId));
    }
  }

  const timer = setInterval(tick, deps.intervalMilliseconds ?? readingIntervalMilliseconds);
  timer.unref();
  return { close: () => clearInterval(timer) };
}
