import Table from "cli-table3";
import { median, percentile } from "./statistics.ts";

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
