import type { CurrentUsage, SandboxUsage, UsageTotal } from "@opencomputer/sdk";
import { formatBytes } from "../parts/format-bytes.ts";
import { formatDuration } from "../parts/format-duration.ts";

/** What a sandbox uses, as names and texts: now as far as it has anything now, then over time. */
export function describeUsage({ current, total }: SandboxUsage): [string, string][] {
  return [...describeCurrent(current), ...describeTotal(total)];
}

function describeCurrent(current: CurrentUsage | null): [string, string][] {
  if (current === null) return [];
  const { uptimeSeconds, cpuPercent, memoryBytes, diskBytes } = current;
  return [
    ["CPU now", formatPercent(cpuPercent)],
    ["Memory now", formatBytes(memoryBytes)],
    ["On disk", formatBytes(diskBytes)],
    ["Running for", formatDuration(uptimeSeconds)],
  ];
}

/** What was used in some time, as names and texts. */
function describeTotal(total: UsageTotal): [string, string][] {
  const { runningSeconds, cpuSeconds, memoryPeakBytes } = total;
  return [
    ["Time running", formatDuration(runningSeconds)],
    ["CPU time", formatDuration(cpuSeconds)],
    ["Most memory", formatBytes(memoryPeakBytes)],
    ["Network received", formatBytes(total.networkReceivedBytes)],
    ["Network sent", formatBytes(total.networkSentBytes)],
  ];
}

/** Describes a percentage of one CPU: 200 % is two whole CPUs. */
export function formatPercent(percent: number): string {
  return `${Math.round(percent * 10) / 10} % of a CPU`;
}
