import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { sql } from "drizzle-orm";
import { z } from "zod";
import { createEmbeddedDatabases } from "../testing/embedded-databases.ts";
import { type PostgresCluster, startPostgresCluster } from "../testing/postgres-cluster.ts";
import { createRecordingLogger } from "../testing/recording-logger.ts";
import type { Database } from "./database.ts";
import { openServerDatabase } from "./open-server-database.ts";

const columnsSchema = z.object({
  rows: z.array(
    z.object({ table_name: z.string(), column_name: z.string(), data_type: z.string() }),
  ),
});
const countSchema = z.object({ rows: z.tuple([z.object({ applied: z.coerce.number() })]) });

async function columnsOf(database: Database) {
  const answer = await database.execute(
    sql`select table_name, column_name, data_type from information_schema.columns
        where table_schema = 'public' order by 1, 2`,
  );
  return columnsSchema.parse(answer).rows;
}

describe("migrations", () => {
  let cluster: PostgresCluster;
  const { logger } = createRecordingLogger();
  before(async () => {
    cluster = await startPostgresCluster();
  });
  after(() => cluster.stop());

  test("make the same tables on both databases", async () => {
    const embedded = await createEmbeddedDatabases()();
    const server = await openServerDatabase(await cluster.createDatabase(), logger);
    const columns = await columnsOf(server.database);
    assert.ok(columns.length > 50);
    assert.deepEqual(await columnsOf(embedded.database), columns);
    await Promise.all([embedded.close(), server.close()]);
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
