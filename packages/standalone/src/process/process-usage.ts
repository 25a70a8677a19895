import { readFile } from "node:fs/promises";
import type { ProcessUsage } from "@opencomputer/protocol/wire";
import { hasCode } from "../installation/file-access.ts";

/** Clock ticks in a second, in what the kernel tells programs: proc(5), times(2). */
const ticksPerSecond = 100;

/** What a process takes of the host; undefined when it has ended. */
export async function readProcessUsage(
  name: string,
  processId: number,
): Promise<ProcessUsage | undefined> {
  try {
    const [stat, status] = await Promise.all([
      readFile(`/proc/${processId}/stat`, "utf8"),
      readFile(`/proc/${processId}/status`, "utf8"),
    ]);
    return parseProcessUsage(name, { stat, status });
  } catch (error) {
    if (hasCode(error, "ENOENT") || hasCode(error, "ESRCH")) return undefined;
    throw error;
  }
}

/** What the calling process takes. */
export function ownUsage(name: string): ProcessUsage {
  const { user, system } = process.cpuUsage();
  return {
    name,
    cpuSeconds: (user + system) / 1e6,
    residentMemoryBytes: process.memoryUsage.rss(),
  };
}

/** Parses `stat` and `status` of a process; undefined for one that has ended, and has no memory. */
export function parseProcessUsage(
  name: string,
  { stat, status }: { stat: string; status: string },
): ProcessUsage | undefined {
  // The command name before them may contain spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields[11]) + Number(fields[12]);
  const kibibytes = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]);
  if (!Number.isSafeInteger(ticks) || !Number.isSafeInteger(kibibytes)) return undefined;
  return { name, cpuSeconds: ticks / ticksPerSecond, residentMemoryBytes: kibibytes * 1024 };
}
