import { setTimeout as pause } from "node:timers/promises";
import { readCpuSeconds } from "../../process-time.ts";

export interface LoadResult {
  readonly perSecond: number;
  /** CPU time of the process under load, per request. */
  readonly cpuMicroseconds: number;
}

/**
 * Measures a load that is under way: how much `responses` grows in `milliseconds`,
 * after a warm-up that is not counted, and what CPU time the process `pid` takes for it.
 */
export async function measureResponses(
  responses: () => number,
  options: { pid: number; warmUpMilliseconds: number; milliseconds: number },
): Promise<LoadResult> {
  const { pid, warmUpMilliseconds, milliseconds } = options;
  await pause(warmUpMilliseconds);
  const before = responses();
  const cpuBefore = await readCpuSeconds(pid);
  const startedAt = performance.now();
  await pause(milliseconds);
  const cpuSeconds = (await readCpuSeconds(pid)) - cpuBefore;
  const count = responses() - before;
  const perSecond = (count * 1000) / (performance.now() - startedAt);
  return { perSecond, cpuMicroseconds: (cpuSeconds * 1e6) / count };
}
