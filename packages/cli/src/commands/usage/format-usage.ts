import type { OrgUsage, SandboxUsage, UsageTotal } from "@opencomputer/sdk";
import { formatSize } from "../../output/format.ts";
import { formatDuration } from "../../output/format-duration.ts";

const mebi = 1024 * 1024;
const head = ["RUNNING", "CPU", "MEMORY", "DISK", "RECEIVED", "SENT"];

/** The head above {@link cellsOf}, behind a column with the names of the rows. */
export function usageHead(name: string): string[] {
  return [name, ...head];
}

export const bucketHead = usageHead("SINCE");

/** The cells of an amount of usage. Memory is the average of the time that sandboxes ran. */
export function cellsOf(usage: UsageTotal): string[] {
  const { runningSeconds, cpuSeconds, memoryMBSeconds, diskPeakBytes } = usage;
  const memoryBytes = runningSeconds === 0 ? 0 : (memoryMBSeconds / runningSeconds) * mebi;
  return [
    formatDuration(runningSeconds),
    formatDuration(cpuSeconds),
    formatSize(memoryBytes),
    formatSize(diskPeakBytes),
    formatSize(usage.networkReceivedBytes),
    formatSize(usage.networkSentBytes),
  ];
}

/** What a sandbox uses now, in a line. */
export function describeCurrent({ sandboxID, status, current }: SandboxUsage): string {
  if (current === null) return `${sandboxID} is ${status}`;
  const { uptimeSeconds, cpuPercent, memoryBytes, diskBytes } = current;
  const disk = `${formatSize(diskBytes)} on disk`;
  if (status !== "running") return `${sandboxID} is ${status}: ${disk}`;
  const memory = `${formatSize(memoryBytes)} of memory`;
  return `${sandboxID} has been running for ${formatDuration(uptimeSeconds)}: ${cpuPercent} % of a CPU, ${memory}, ${disk}`;
}

/** What all sandboxes use now, in a line. */
export function describeOrg({ current, sandboxCount, since, until }: OrgUsage): string {
  const { runningCount, cpuPercent, memoryBytes, diskBytes } = current;
  const percent = Math.round(cpuPercent * 10) / 10;
  return [
    `Now: ${runningCount} running, ${percent} % of a CPU, ${formatSize(memoryBytes)} of memory, ${formatSize(diskBytes)} on disk`,
    `Sandboxes that ran from ${since} to ${until}: ${sandboxCount}`,
  ].join("\n");
}
