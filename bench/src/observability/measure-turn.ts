import type { LoadResult } from "../egress/clients/load-result.ts";
import { readCpuSeconds } from "../process-time.ts";

/**
 * Repeats a request until the time is over, by as many callers as given, each with one at a
 * time. The CPU time is that of the processes per request.
 */
export async function measureTurn(
  request: () => Promise<unknown>,
  options: { pids: readonly number[]; callers: number; milliseconds: number },
): Promise<LoadResult> {
  const { pids, callers, milliseconds } = options;
  const cpuBefore = await cpuSecondsOf(pids);
  const startedAt = performance.now();
  const endsAt = startedAt + milliseconds;
  let count = 0;
  await Promise.all(
    Array.from({ length: callers }, async () => {
      do {
        await request();
        count += 1;
      } while (performance.now() < endsAt);
    }),
  );
  const seconds = (performance.now() - startedAt) / 1000;
  const cpuSeconds = (await cpuSecondsOf(pids)) - cpuBefore;
  return { perSecond: count / seconds, cpuMicroseconds: (cpuSeconds * 1e6) / count };
}

async function cpuSecondsOf(pids: readonly number[]): Promise<number> {
  const seconds = await Promise.all(pids.map((pid) => readCpuSeconds(pid)));
  return seconds.reduce((sum, one) => sum + one, 0);
}
