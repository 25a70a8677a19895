import type { ClientBase } from "pg";
import { migrationsFolder } from "../database/open-server-database.ts";
import { createEarlierSchema } from "./earlier-schema.ts";
import { type ExportedRow, readExportedRows } from "./exported-rows.ts";
import { differencesOf, summarizeTables } from "./table-summary.ts";

const rowsPerInsert = 500;
/** Any number that only this product uses. */
const loadLock = 0x6f63_6c64;

/**
 * Loads the rows of an earlier version's database into an empty one, and compares count
 * and digest of every table before it commits. A database that has all of them,
 * because an earlier run ended after its commit, is not changed.
 *
 * @throws when the database has other rows, or has not exactly these in the end.
 */
export async function loadExportedRows(
  client: ClientBase,
  file: string,
): Promise<"loaded" | "present"> {
  const counts = new Map<string, number>();
  const expected = await readExportedRows(file, async ({ schema, table }) => {
    const name = `${schema}.${table}`;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  });
  await client.query("begin");
  try {
    // The program of a start that was killed may still run.
    await client.query("select pg_advisory_xact_lock($1)", [loadLock]);
    const present = await summarizeTables(client);
    if (present.length > 0) {
      assertSame(differencesOf(expected, present), "has other tables");
      await client.query("rollback");
      return "present";
    }
    const appliedCount = counts.get("drizzle.__drizzle_migrations") ?? 0;
    await createEarlierSchema(client, { appliedCount, migrationsFolder });
    await insertRows(client, file);
    await client.query(
      `select setval(pg_get_serial_sequence('drizzle.__drizzle_migrations', 'id'), max(id))
         from drizzle.__drizzle_migrations`,
    );
    assertSame(differencesOf(expected, await summarizeTables(client)), "did not take every row");
    await client.query("commit");
    return "loaded";
  } catch (error) {
    await client.query("rollback");
    throw error;
  }
}

async function insertRows(client: ClientBase, file: string): Promise<void> {
  let table = "";
  let rows: string[] = [];
  const insert = async () => {
    if (rows.length === 0) return;
    await client.query(
      `insert into ${table} select * from json_populate_recordset(null::${table}, $1::json)`,
      [`[${rows.join(",")}]`],
    );
    rows = [];
  };
  await readExportedRows(file, async (row: ExportedRow) => {
    const name = `"${row.schema}"."${row.table}"`;
    if (name !== table || rows.length === rowsPerInsert) await insert();
    table = name;
    rows.push(row.row);
  });
  await insert();
}

function assertSame(differences: string[], what: string): void {
  if (differences.length === 0) return;
  throw new Error(
    `The PostgreSQL database ${what}, and nothing was changed: ${differences.slice(0, 5).join("; ")}. The earlier database was not changed either.`,
  );
}
