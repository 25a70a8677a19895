import { createHash } from "node:crypto";
import type { ClientBase } from "pg";
import { z } from "zod";
import type { TableSummary } from "./exported-rows.ts";

const rowsPerFetch = 500;
const fetchedSchema = z.array(z.object({ text: z.string() }));
const tablesSchema = z.array(z.object({ schema: z.string(), table: z.string() }));

/** Counts and digests the rows of every table, as `setup/pglite-export` does. */
export async function summarizeTables(client: ClientBase): Promise<TableSummary[]> {
  await client.query("set local timezone = 'UTC'; set local datestyle = 'ISO'");
  const { rows } = await client.query(
    `select schemaname as schema, tablename as table from pg_tables
       where schemaname in ('public', 'drizzle') order by 1, 2`,
  );
  const summaries: TableSummary[] = [];
  for (const { schema, table } of tablesSchema.parse(rows)) {
    summaries.push({ schema, table, ...(await summarizeTable(client, `"${schema}"."${table}"`)) });
  }
  return summaries;
}

async function summarizeTable(client: ClientBase, table: string) {
  const hash = createHash("sha256");
  let count = 0;
  await client.query(
    `declare summarized cursor for select t::text as text from ${table} t order by t::text collate "C"`,
  );
  for (;;) {
    const fetched = fetchedSchema.parse(
      (await client.query(`fetch ${rowsPerFetch} from summarized`)).rows,
    );
    if (fetched.length === 0) break;
    for (const { text } of fetched) hash.update(`${text}\0`);
    count += fetched.length;
  }
  await client.query("close summarized");
  return { rows: count, sha256: hash.digest("hex") };
}

/** Compares the expected tables with the present ones; one text for each difference. */
export function differencesOf(expected: TableSummary[], found: TableSummary[]): string[] {
  const byName = (summaries: TableSummary[]) =>
    new Map(summaries.map((summary) => [`${summary.schema}.${summary.table}`, summary]));
  const [wanted, present] = [byName(expected), byName(found)];
  return [...new Set([...wanted.keys(), ...present.keys()])].flatMap((name) => {
    const [before, after] = [wanted.get(name), present.get(name)];
    if (before === undefined) return [`${name} is new`];
    if (after === undefined) return [`${name} is missing`];
    if (before.rows !== after.rows) return [`${name} has ${after.rows} rows, not ${before.rows}`];
    return before.sha256 === after.sha256 ? [] : [`${name} has rows that differ`];
  });
}
