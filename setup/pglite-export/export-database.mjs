// @ts-check
import { createHash } from "node:crypto";
import { PGlite } from "@electric-sql/pglite";

const rowsPerFetch = 500;

/**
 * Writes one line for each row, `{schema, table, row}` with the row as JSON text, and in the end
 * one line with the number of rows and the digest of each table. Tables come after those that
 * they reference.
 *
 * @param {string} directory
 * @param {(line: string) => Promise<void>} writeLine
 */
export async function exportDatabase(directory, writeLine) {
  const client = await PGlite.create(directory);
  try {
    await client.transaction(async (transaction) => {
      await transaction.exec("set transaction isolation level repeatable read, read only");
      await transaction.exec("set local timezone = 'UTC'; set local datestyle = 'ISO'");
      const tables = [];
      for (const { schema, table } of await listTables(transaction)) {
        tables.push(await exportTable(transaction, schema, table, writeLine));
      }
      await writeLine(lineOf({ end: tables }));
    });
  } finally {
    await client.close();
  }
}

/**
 * @param {import("@electric-sql/pglite").Transaction} transaction
 * @param {string} schema
 * @param {string} table
 * @param {(line: string) => Promise<void>} writeLine
 */
async function exportTable(transaction, schema, table, writeLine) {
  const hash = createHash("sha256");
  let rows = 0;
  await transaction.exec(
    `declare exported cursor for select row_to_json(t)::text as row, t::text as text
       from "${schema}"."${table}" t order by t::text collate "C"`,
  );
  for (;;) {
    const fetched = await transaction.query(`fetch ${rowsPerFetch} from exported`);
    if (fetched.rows.length === 0) break;
    for (const { row, text } of /** @type {{ row: string, text: string }[]} */ (fetched.rows)) {
      hash.update(`${text}\0`);
      rows += 1;
      await writeLine(lineOf({ schema, table, row }));
    }
  }
  await transaction.exec("close exported");
  return { schema, table, rows, sha256: hash.digest("hex") };
}

/** @param {import("@electric-sql/pglite").Transaction} transaction */
async function listTables(transaction) {
  /** @typedef {{ schema: string, table: string, references: string[] }} Table */
  const { rows } = await transaction.query(`
    select n.nspname as schema, c.relname as table, array(
      select distinct f.relname::text from pg_constraint k join pg_class f on f.oid = k.confrelid
        where k.conrelid = c.oid and k.contype = 'f' and k.confrelid <> c.oid) as references
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind = 'r' and n.nspname in ('public', 'drizzle') order by 1, 2`);
  /** @type {Map<string, Table>} */
  const waiting = new Map(
    rows.map((row) => [/** @type {Table} */ (row).table, /** @type {Table} */ (row)]),
  );
  /** @type {Table[]} */
  const ordered = [];
  while (waiting.size > 0) {
    const free = [...waiting.values()].filter(
      ({ references }) => !references.some((name) => waiting.has(name)),
    );
    if (free.length === 0) {
      throw new Error(`Tables reference each other in a circle: ${[...waiting.keys()].join(", ")}`);
    }
    for (const table of free) waiting.delete(table.table);
    ordered.push(...free);
  }
  return ordered;
}

/**
 * JSON without the separators of Unicode that `node:readline` takes for the end of a line.
 *
 * @param {unknown} value
 */
function lineOf(value) {
  return JSON.stringify(value).replaceAll("\u2028", "\\u2028").replaceAll("\u2029", "\\u2029");
}
