import { setTimeout as delay } from "node:timers/promises";
import { Sandbox } from "@opencomputer/sdk";
import type { RunningInstallation } from "./installation.ts";
import { countResources, type ResourceCounts, readServiceMemory } from "./resources.ts";

/** Idle connections between processes are kept for a minute. */
const steadyMillisecondsMax = 90_000;
const pollMilliseconds = 500;

/** What rounds of create, command and kill have left behind. */
export interface RoundsResult {
  /** Kinds of which there are more than before, such as `namespace: 4, before 3`. */
  leaks: string[];
  /** Sandboxes that are listed as running, though each was killed. */
  runningRows: number;
  /** Resident memory of each process after the warm-up and after all rounds, in bytes. */
  memory: Record<string, { before: number; after: number }>;
}

/** Creates, uses and kills one sandbox after the other, and compares what the host holds. */
export async function runRounds(
  installation: RunningInstallation,
  options: { warmUpRounds: number; rounds: number; onRound?: (round: number) => void },
): Promise<RoundsResult> {
  const connection = { apiUrl: installation.apiUrl, apiKey: installation.apiKey };
  const one = async () => {
    const sandbox = await Sandbox.create(connection);
    const { stdout } = await sandbox.exec.run("echo done");
    if (stdout !== "done\n") throw new Error(`Expected done, got ${JSON.stringify(stdout)}`);
    await sandbox.kill();
  };
  for (let round = 1; round <= options.warmUpRounds; round += 1) await one();
  const before = await untilSteady(installation);
  const memoryBefore = await readServiceMemory(installation);
  for (let round = 1; round <= options.rounds; round += 1) {
    options.onRound?.(round);
    await one();
  }
  const after = await untilSteady(installation, before);
  const memoryAfter = await readServiceMemory(installation);
  return {
    leaks: compare(before, after),
    runningRows: (await Sandbox.list(connection)).length,
    memory: Object.fromEntries(
      Object.entries(memoryAfter).map(([part, bytes]) => [
        part,
        { before: memoryBefore[part] ?? Number.NaN, after: bytes },
      ]),
    ),
  };
}

function compare(before: ResourceCounts, after: ResourceCounts): string[] {
  return Object.entries(after).flatMap(([kind, count]) =>
    count > (before[kind] ?? 0) ? [`${kind}: ${count}, before ${before[kind] ?? 0}`] : [],
  );
}

/**
 * The counts once the pool is full again and connections are closed: when three
 * in a row are equal, or, with an earlier count, when nothing is more than it was.
 */
export async function untilSteady(
  installation: RunningInstallation,
  earlier?: ResourceCounts,
): Promise<ResourceCounts> {
  const deadline = Date.now() + steadyMillisecondsMax;
  let last = await countResources(installation);
  let equal = 1;
  while (Date.now() < deadline) {
    if (earlier !== undefined && compare(earlier, last).length === 0) return last;
    await delay(pollMilliseconds);
    const next = await countResources(installation);
    equal = JSON.stringify(next) === JSON.stringify(last) ? equal + 1 : 1;
    last = next;
    if (earlier === undefined && equal >= 6) return last;
  }
  return last;
}
