import { InvalidArgumentError } from "commander";

const secondsPerUnit: Readonly<Record<string, number>> = { m: 60, h: 3600, d: 86_400 };

/** Parses a moment: a time of ISO 8601, or how long ago it is, such as `90m`, `24h` or `7d`. */
export function parseMoment(text: string, now: () => number = Date.now): Date {
  const [, count, unit] = /^(\d{1,6})([mhd])$/.exec(text) ?? [];
  const seconds = Number(count) * (secondsPerUnit[unit ?? ""] ?? Number.NaN);
  const isTime = /^\d{4}-\d{2}-\d{2}(T|$)/.test(text);
  const moment = new Date(isTime ? text : now() - seconds * 1000);
  if (Number.isNaN(moment.getTime()) || moment.getUTCFullYear() < 1970) {
    throw new InvalidArgumentError(
      "Expected a time, such as 2026-01-31T12:00:00Z, or 90m, 24h, 7d.",
    );
  }
  return moment;
}
