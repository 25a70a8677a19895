/** The rows that have come, the oldest of them first, put before those that are shown; at most `max` in all. */
export function prependNewest<Row>(
  shown: readonly Row[],
  added: readonly Row[],
  max: number,
): Row[] {
  return [...added.slice(-max).reverse(), ...shown].slice(0, max);
}
