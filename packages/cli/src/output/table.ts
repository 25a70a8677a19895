import Table from "cli-table3";
import stringWidth from "string-width";
import { fitColumns } from "./fit-columns.ts";
import { printable } from "./format.ts";

const columnGap = "  ";
const noBorders = {
  ...{ top: "", "top-mid": "", "top-left": "", "top-right": "" },
  ...{ bottom: "", "bottom-mid": "", "bottom-left": "", "bottom-right": "" },
  ...{ left: "", "left-mid": "", mid: "", "mid-mid": "" },
  ...{ right: "", "right-mid": "", middle: columnGap },
};

/**
 * Rows in aligned columns, two spaces apart, below their heads, without borders
 * and trailing spaces. `columns` limits the width of lines: longer cells are cut,
 * except those of the first column, which names the row.
 */
export function formatTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  columns?: number,
): string {
  const cells = rows.map((row) => row.map(printable));
  const natural = head.map((name, index) =>
    Math.max(stringWidth(name), ...cells.map((row) => stringWidth(row[index] ?? ""))),
  );
  const gaps = columnGap.length * (head.length - 1);
  const table = new Table({
    chars: noBorders,
    head: [...head],
    colWidths: columns === undefined ? natural : fitColumns(natural, head, columns - gaps),
    style: { head: [], border: [], "padding-left": 0, "padding-right": 0 },
  });
  table.push(...cells);
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
