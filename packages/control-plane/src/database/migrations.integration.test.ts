import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { getTableConfig, PgTable } from "drizzle-orm/pg-core";
import { z } from "zod";
import { type PostgresCluster, startPostgresCluster } from "../testing/postgres-cluster.ts";
import { createRecordingLogger } from "../testing/recording-logger.ts";
import type { Database } from "./database.ts";
import { openServerDatabase } from "./open-server-database.ts";
import { getTableName, is, sql } from "./query-builder.ts";
import * as schema from "./schema.ts";

const columnsSchema = z.object({
  rows: z.array(
    z.object({ table_name: z.string(), column_name: z.string(), data_type: z.string() }),
  ),
});
const countSchema = z.object({ rows: z.tuple([z.object({ applied: z.coerce.number() })]) });

async function columnsOf(database: Database) {
  const result = await database.execute(
    sql`select c.relname as table_name, a.attname as column_name,
          format_type(a.atttypid, a.atttypmod) as data_type
        from pg_attribute a join pg_class c on c.oid = a.attrelid
        where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'
          and a.attnum > 0 and not a.attisdropped`,
  );
  return columnsSchema.parse(result).rows;
}

describe("migrations", () => {
  let cluster: PostgresCluster;
  const { logger } = createRecordingLogger();
  before(async () => {
    cluster = await startPostgresCluster();
  });
  after(() => cluster.stop());

  test("make the tables and columns of the schema", async () => {
    const server = await openServerDatabase(await cluster.createDatabase(), logger);
    const found = (await columnsOf(server.database)).map(
      ({ table_name, column_name, data_type }) => `${table_name}.${column_name} ${data_type}`,
    );
    const tables = Object.values(schema).filter((value) => is(value, PgTable));
    const expected = tables.flatMap((table) =>
      getTableConfig(table).columns.map(
        (column) =>
          `${getTableName(table)}.${column.name} ${column.getSQLType().replace(" (", "(")}`,
      ),
    );
    assert.ok(expected.length > 50);
    assert.deepEqual(found.sort(), expected.sort());
    await server.close();
  });

  test("several processes that start at once migrate in turn, and only once", async () => {
    const url = await cluster.createDatabase();
    const opened = await Promise.all(
      Array.from({ length: 4 }, () => openServerDatabase(url, logger)),
    );
    const [first] = opened;
    assert.ok(first !== undefined);
    const applied = await first.database.execute(
      sql`select count(*) as applied from drizzle.__drizzle_migrations`,
    );
    const folder = new URL("../../migrations/meta/_journal.json", import.meta.url);
    const { default: journal } = await import(folder.href, { with: { type: "json" } });
    assert.equal(countSchema.parse(applied).rows[0].applied, journal.entries.length);
    await Promise.all(opened.map((database) => database.close()));
  });
});
