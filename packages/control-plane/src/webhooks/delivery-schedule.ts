const minute = 60;
const hour = 60 * minute;

/** How long after each failed attempt the next one is, at least: twelve attempts, over a day in all. */
const waitSeconds = [
  ...[5, 30, 2 * minute, 10 * minute, 30 * minute],
  ...[hour, 2 * hour, 3 * hour, 4 * hour, 6 * hour, 8 * hour],
];
/** How much longer it may be, so that deliveries that failed together are not sent together. */
const spread = 0.2;

/**
 * How many seconds after a failed attempt the next one is due; undefined when there is none.
 *
 * @param attempt From 1.
 * @param random From 0 up to, not including, 1.
 */
export function deliverySchedule(attempt: number, random = Math.random): number | undefined {
  const seconds = waitSeconds[attempt - 1];
  return seconds === undefined ? undefined : seconds * (1 + spread * random());
}
