import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { parseJson } from "@opencomputer/protocol/api";
import { z } from "zod";

const identifier = z.string().regex(/^[a-z_]{1,63}$/);

const rowLineSchema = z.strictObject({
  schema: identifier,
  table: identifier,
  /** The row as JSON text: parsing it would change numbers. */
  row: z.string(),
});

const tableSummarySchema = z.strictObject({
  schema: identifier,
  table: identifier,
  rows: z.number().int().nonnegative(),
  /** SHA-256 of the rows as PostgreSQL writes them as text. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});

const lineSchema = z.union([rowLineSchema, z.strictObject({ end: z.array(tableSummarySchema) })]);

export type ExportedRow = z.infer<typeof rowLineSchema>;
export type TableSummary = z.infer<typeof tableSummarySchema>;

/**
 * Reads what `setup/pglite-export` wrote: passes each row to `onRow`, and returns
 * the summaries that the tables must match in the end.
 *
 * @throws when a line is malformed or the end is missing.
 */
export async function readExportedRows(
  file: string,
  onRow: (row: ExportedRow) => Promise<void>,
): Promise<TableSummary[]> {
  let end: TableSummary[] | undefined;
  let lineNumber = 0;
  for await (const text of createInterface({ input: createReadStream(file) })) {
    lineNumber += 1;
    if (end !== undefined)
      throw new Error(`${file} continues after its end, in line ${lineNumber}`);
    const line = lineSchema.safeParse(parseJson(text));
    if (!line.success) {
      throw new Error(`${file} line ${lineNumber} is neither a row nor the end of the rows`);
    }
    if ("end" in line.data) end = line.data.end;
    else await onRow(line.data);
  }
  if (end === undefined) throw new Error(`${file} is incomplete: its end is missing`);
  return end;
}
