import { limits, type UsageInterval, type UsageQuery, WireError } from "@opencomputer/protocol/api";
import { dayMilliseconds, hourMilliseconds } from "./usage-since.ts";

/** A time of whole hours or days, `until` excluded. */
export interface UsagePeriod {
  since: Date;
  until: Date;
  interval: UsageInterval;
}

/** The first hour that is kept as an hour: hours before it may have been joined to days. */
export function firstKeptHour(now: Date): Date {
  return new Date(
    floor(now.getTime(), dayMilliseconds) - limits.usageHourDaysMax * dayMilliseconds,
  );
}

/**
 * The time that a caller asks for: by default the last 24 hours, in hours as long as these are kept.
 *
 * @throws {WireError} `invalid_request`
 */
export function usagePeriodOf(query: UsageQuery, now: Date): UsagePeriod {
  const until = query.until === undefined ? now.getTime() : Date.parse(query.until);
  const since = query.since === undefined ? until - dayMilliseconds : Date.parse(query.since);
  if (since >= until) {
    throw new WireError(
      "invalid_request",
      `since: must be before until, ${new Date(until).toISOString()}`,
    );
  }
  const firstHour = firstKeptHour(now);
  const hasHours = since >= firstHour.getTime();
  if (query.interval === "hour" && !hasHours) {
    throw new WireError(
      "invalid_request",
      `interval: hours are kept for ${limits.usageHourDaysMax} days, since ${firstHour.toISOString()}. Use interval=day, or a later since`,
    );
  }
  const interval = query.interval ?? (hasHours ? "hour" : "day");
  const unit = interval === "hour" ? hourMilliseconds : dayMilliseconds;
  return {
    since: new Date(floor(since, unit)),
    until: new Date(floor(until + unit - 1, unit)),
    interval,
  };
}

function floor(time: number, unit: number): number {
  return Math.floor(time / unit) * unit;
}
