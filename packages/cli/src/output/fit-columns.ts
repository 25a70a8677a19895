/** A column that is cut shows at least this much, and its head. */
const narrowestWidth = 6;

/**
 * Widths that together are at most `available`: the widest column gives way
 * first, the first one never. Wider than that when even the narrowest are.
 */
export function fitColumns(
  natural: readonly number[],
  head: readonly string[],
  available: number,
): number[] {
  const widths = [...natural];
  const excess = () => widths.reduce((sum, width) => sum + width, 0) - available;
  while (excess() > 0) {
    const candidates = widths
      .map((width, index) => ({ width, index }))
      .filter(({ width, index }) => index > 0 && width > narrowest(head[index] ?? ""))
      .toSorted((one, other) => other.width - one.width);
    const [widest, next] = candidates;
    if (widest === undefined) break;
    const floor = Math.max(narrowest(head[widest.index] ?? ""), (next?.width ?? 0) - 1);
    widths[widest.index] = Math.max(floor, widest.width - excess());
  }
  return widths;
}

function narrowest(name: string): number {
  return Math.max(narrowestWidth, name.length);
}
