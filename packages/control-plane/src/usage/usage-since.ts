import { limits } from "@opencomputer/protocol/api";
import type { MachineUsage } from "@opencomputer/protocol/wire";
import type { usageBuckets } from "../database/schema.ts";

/** The counters of a machine at a time. */
export interface MachineCounters
  extends Pick<
    MachineUsage,
    "cpuMilliseconds" | "memoryBytes" | "networkReceivedBytes" | "networkSentBytes"
  > {
  readAt: Date;
}

/** The usage of a sandbox in an hour. */
export type HourUsage = Omit<typeof usageBuckets.$inferSelect, "orgId" | "sandboxId" | "span">;

const mebi = 1024 * 1024;
export const hourMilliseconds = 3_600_000;
export const dayMilliseconds = 24 * hourMilliseconds;

/**
 * What a machine used since it was read before, or since its start, by the hour. Of a time that
 * spans hours each gets its share, and none that is older than hours are kept. Counters that
 * went back count as unchanged. Empty when the reading is no news.
 */
export function usageSince(
  before: MachineCounters | undefined,
  reading: Pick<MachineUsage, "startedAt" | "diskBytes"> & MachineCounters,
): HourUsage[] {
  const until = reading.readAt.getTime();
  const begin = before?.readAt.getTime() ?? Date.parse(reading.startedAt);
  if (before !== undefined && begin >= until) return [];
  const since = Math.min(until, Math.max(begin, until - limits.usageHourDaysMax * dayMilliseconds));
  const grown = (
    counter: "cpuMilliseconds" | "networkReceivedBytes" | "networkSentBytes",
  ): number => Math.max(0, reading[counter] - (before?.[counter] ?? 0));
  const memoryBytes = ((before?.memoryBytes ?? reading.memoryBytes) + reading.memoryBytes) / 2;
  const used = {
    runningMilliseconds: until - since,
    cpuMilliseconds: grown("cpuMilliseconds"),
    memoryMBSeconds: Math.round(((memoryBytes / mebi) * (until - since)) / 1000),
    networkReceivedBytes: grown("networkReceivedBytes"),
    networkSentBytes: grown("networkSentBytes"),
  };
  return hoursBetween(since, until).map(({ startsAt, from, to }) => {
    // Parts that begin where the one before ends have the whole as their sum, rounded as they are.
    const part = (whole: number): number => {
      if (until === since) return whole;
      const upTo = (time: number) => Math.round((whole * (time - since)) / (until - since));
      return upTo(to) - upTo(from);
    };
    return {
      startsAt: new Date(startsAt),
      runningMilliseconds: part(used.runningMilliseconds),
      cpuMilliseconds: part(used.cpuMilliseconds),
      memoryMBSeconds: part(used.memoryMBSeconds),
      memoryPeakBytes: Math.max(before?.memoryBytes ?? 0, reading.memoryBytes),
      diskPeakBytes: reading.diskBytes,
      networkReceivedBytes: part(used.networkReceivedBytes),
      networkSentBytes: part(used.networkSentBytes),
    };
  });
}

/** The share of one CPU that was used between two readings; undefined when they are too close. */
export function cpuPercentSince(
  before: MachineCounters | undefined,
  reading: Pick<MachineUsage, "startedAt"> & MachineCounters,
): number | undefined {
  const begin = before?.readAt.getTime() ?? Date.parse(reading.startedAt);
  const milliseconds = reading.readAt.getTime() - begin;
  if (milliseconds < 500) return undefined;
  const used = Math.max(0, reading.cpuMilliseconds - (before?.cpuMilliseconds ?? 0));
  return Math.round((used / milliseconds) * 1000) / 10;
}

/** The hours of a time, each with what of it is in the time. The time of one moment has its hour. */
function hoursBetween(
  since: number,
  until: number,
): { startsAt: number; from: number; to: number }[] {
  const hours = [];
  const first = Math.floor(since / hourMilliseconds) * hourMilliseconds;
  for (let startsAt = first; startsAt < until || startsAt === first; startsAt += hourMilliseconds) {
    const from = Math.max(startsAt, since);
    hours.push({ startsAt, from, to: Math.min(startsAt + hourMilliseconds, until) });
  }
  return hours;
}
