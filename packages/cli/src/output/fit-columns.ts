/** Least width of a cut column, unless its head is wider. */
const narrowestWidth = 6;

/**
 * Column widths whose sum is at most `available`, or as close to it as the least
 * widths permit. The widest column is cut first, the first column never.
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
