import assert from "node:assert/strict";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { PGlite } from "@electric-sql/pglite";
import { sql } from "drizzle-orm";
import { drizzle as drizzleServer } from "drizzle-orm/node-postgres";
import { migrate as migrateServer } from "drizzle-orm/node-postgres/migrator";
import { drizzle as drizzleEmbedded } from "drizzle-orm/pglite";
import { migrate as migrateEmbedded } from "drizzle-orm/pglite/migrator";
import { Pool } from "pg";
import { z } from "zod";
import { hashApiKey, mintApiKey } from "../orgs/api-key.ts";
import { createApiKeyRepository } from "../orgs/api-key-repository.ts";
import { mintSandboxId } from "../sandboxes/sandbox-identity.ts";
import { createSandboxRepository } from "../sandboxes/sandbox-repository.ts";
import { type PostgresCluster, startPostgresCluster } from "../testing/postgres-cluster.ts";
import { createRecordingLogger } from "../testing/recording-logger.ts";
import type { Database } from "./database.ts";
import { migrationsFolder } from "./migrations-folder.ts";
import { openEmbeddedDatabase } from "./open-embedded-database.ts";
import { openServerDatabase } from "./open-server-database.ts";

const journalSchema = z.looseObject({ entries: z.array(z.looseObject({ tag: z.string() })) });
const idSchema = z.object({ rows: z.tuple([z.object({ id: z.uuid() })]) });

/** What a database of the first version holds. */
async function fill(database: Pick<Database, "execute">) {
  const key = mintApiKey();
  const sandboxId = mintSandboxId();
  const answer = await database.execute(
    sql`insert into orgs (name) values ('default') returning id`,
  );
  const orgId = idSchema.parse(answer).rows[0].id;
  await database.execute(
    sql`insert into api_keys (org_id, kind, sha256) values (${orgId}, 'initial', ${hashApiKey(key)})`,
  );
  await database.execute(
    sql`insert into sandboxes (id, org_id, state, template_id, cpu_count, memory_mb,
          idle_timeout_seconds, metadata, tags, egress_mode, egress_allowlist, started_at, last_active_at)
        values (${sandboxId}, ${orgId}, 'running', 'base', 1, 1024, 300, '{"team": "a"}', '{}',
          'open', '[]', now(), now())`,
  );
  await database.execute(
    sql`insert into sandbox_secrets (org_id, sandbox_id, name, token, sealed, key_version,
          allowed_hosts, source_store_id)
        values (${orgId}, ${sandboxId}, 'K', 'osb_sealed_0', 'sealed', 'v1', '[]', ${orgId})`,
  );
  return { key, orgId, sandboxId };
}

async function assertKept(
  database: Database,
  { key, orgId, sandboxId }: Awaited<ReturnType<typeof fill>>,
) {
  const apiKeys = createApiKeyRepository(database);
  assert.equal((await apiKeys.find(key))?.orgId, orgId);
  assert.equal((await apiKeys.list(orgId)).length, 1);
  const sandboxes = createSandboxRepository(database);
  const sandbox = await sandboxes.find(orgId, sandboxId);
  assert.deepEqual([sandbox?.state, sandbox?.metadata], ["running", { team: "a" }]);
  assert.deepEqual([sandbox?.tags, sandbox?.tagsUpdatedAt], [{}, null]);
  assert.deepEqual([sandbox?.envs, sandbox?.fromCheckpointId], [{}, null]);
  const [secret] = await sandboxes.listSecrets(orgId, sandboxId);
  assert.deepEqual([secret?.name, secret?.token], ["K", "osb_sealed_0"]);
}

describe("a database of the first version", () => {
  let cluster: PostgresCluster;
  let directory: string;
  let firstMigrations: string;
  before(async () => {
    cluster = await startPostgresCluster();
    directory = await mkdtemp(join(tmpdir(), "opencomputer-older-database-"));
    firstMigrations = join(directory, "migrations");
    await cp(migrationsFolder, firstMigrations, { recursive: true });
    const path = join(firstMigrations, "meta", "_journal.json");
    const journal = journalSchema.parse(JSON.parse(await readFile(path, "utf8")));
    assert.ok(journal.entries.length > 1, "there is something to migrate to");
    const first = { ...journal, entries: journal.entries.slice(0, 1) };
    await writeFile(path, JSON.stringify(first));
  });
  after(async () => {
    await cluster.stop();
    await rm(directory, { recursive: true, force: true });
  });

  test("in a data directory is migrated with what it holds", async () => {
    const path = join(directory, "database");
    const client = await PGlite.create(path);
    const older = drizzleEmbedded({ client });
    await migrateEmbedded(older, { migrationsFolder: firstMigrations });
    const held = await fill(older);
    await client.close();
    const { database, close } = await openEmbeddedDatabase(path);
    await assertKept(database, held);
    await close();
  });

  test("on a server is migrated with what it holds", async () => {
    const url = await cluster.createDatabase();
    const client = new Pool({ connectionString: url });
    const older = drizzleServer({ client });
    await migrateServer(older, { migrationsFolder: firstMigrations });
    const held = await fill(older);
    await client.end();
    const { database, close } = await openServerDatabase(url, createRecordingLogger().logger);
    await assertKept(database, held);
    await close();
  });
});
