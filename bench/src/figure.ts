import Table from "cli-table3";
import type { PairedSamples } from "./in-turns.ts";
import { median, pairedRatios, percentile } from "./statistics.ts";

/** A row of the table: a measurement, its floor and its target. */
export interface Figure {
  name: string;
  measured: string;
  floor: string;
  result: string;
  mustReach: string;
  /** Whether the target is reached; null without a target. */
  reached: boolean | null;
}

export function describeSamples(samples: readonly number[], unit: string): string {
  const digits = median(samples) < 100 ? 1 : 0;
  return `${median(samples).toFixed(digits)} / ${percentile(samples, 0.95).toFixed(digits)} ${unit}`;
}

/** The target of a ratio; without one it is only reported. */
type Bound = { readonly atLeast: number } | { readonly atMost: number };

/**
 * Describes a measurement by its ratio to the floor: the median of the ratios within a
 * round, because the speed of the machine varies between rounds.
 */
export function describeRatio(
  name: string,
  { measured, floor }: PairedSamples<number>,
  { unit, floorName, bound }: { unit: string; floorName: string; bound?: Bound },
): Figure {
  const ratio = median(pairedRatios(measured, floor));
  return {
    name,
    measured: describeSamples(measured, unit),
    floor: `${describeSamples(floor, unit)} (${floorName})`,
    result: `${ratio.toFixed(2)} × the floor`,
    ...describeBound(ratio, bound),
  };
}

function describeBound(
  ratio: number,
  bound: Bound | undefined,
): Pick<Figure, "mustReach" | "reached"> {
  if (bound === undefined) return { mustReach: "reported", reached: null };
  if ("atLeast" in bound) {
    return { mustReach: `≥ ${bound.atLeast} × the floor`, reached: ratio >= bound.atLeast };
  }
  return { mustReach: `≤ ${bound.atMost} × the floor`, reached: ratio <= bound.atMost };
}

const heads = ["figure", "measured (median / p95)", "floor (median / p95)", "result", "must reach"];

/** Column widths as shares of the terminal's width. */
const widthShares = [0.3, 0.2, 0.2, 0.16, 0.14];
const defaultColumns = 120;

export function printFigures(figures: Figure[], stream: NodeJS.WriteStream): void {
  const columns = stream.columns ?? defaultColumns;
  const table = new Table({
    head: heads,
    style: { head: [], border: [] },
    wordWrap: true,
    colWidths: widthShares.map((share) => Math.floor(share * (columns - heads.length - 1))),
  });
  for (const figure of figures) table.push(cells(figure));
  stream.write(`${table.toString()}\n`);
}

export function asMarkdown(figures: Figure[]): string {
  const row = (texts: string[]) => `| ${texts.join(" | ")} |`;
  return [row(heads), row(heads.map(() => "---")), ...figures.map((one) => row(cells(one)))].join(
    "\n",
  );
}

function cells({ name, measured, floor, result, mustReach, reached }: Figure): string[] {
  const mark = reached === null ? "" : reached ? " ✓" : " ✗";
  return [name, measured, floor, `${result}${mark}`, mustReach];
}
