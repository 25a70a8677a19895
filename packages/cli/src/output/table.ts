import Table from "cli-table3";
import { printable } from "./printable.ts";

const noBorders = {
  ...{ top: "", "top-mid": "", "top-left": "", "top-right": "" },
  ...{ bottom: "", "bottom-mid": "", "bottom-left": "", "bottom-right": "" },
  ...{ left: "", "left-mid": "", mid: "", "mid-mid": "" },
  ...{ right: "", "right-mid": "", middle: "  " },
};

/** Rows in aligned columns, two spaces apart, below their heads; no borders, no trailing space. */
export function formatTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const table = new Table({
    chars: noBorders,
    head: [...head],
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0 },
  });
  table.push(...rows.map((row) => row.map(printable)));
  return trimLines(table.toString());
}

/** `Name:  value` lines with their values aligned. */
export function formatFields(fields: readonly (readonly [string, string])[]): string {
  const width = Math.max(...fields.map(([name]) => name.length)) + 1;
  const lines = fields.map(([name, value]) => `${`${name}:`.padEnd(width)}  ${printable(value)}`);
  return trimLines(lines.join("\n"));
}

function trimLines(text: string): string {
  return text.replace(/ +$/gm, "");
}
