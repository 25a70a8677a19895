import assert from "node:assert/strict";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { drizzle } from "drizzle-orm/node-postgres";
import { migrate } from "drizzle-orm/node-postgres/migrator";
import { Pool } from "pg";
import { z } from "zod";
import { createFormerSecretRepository } from "../former-secrets/former-secret-repository.ts";
import { createApiKeyRepository, hashApiKey, mintApiKey } from "../orgs/api-key-repository.ts";
import { OrgTransactions } from "../orgs/org-repository.ts";
import { mintSandboxId } from "../sandboxes/identity/sandbox-identity.ts";
import { createSandboxRepository } from "../sandboxes/rows/sandbox-repository.ts";
import { type PostgresCluster, startPostgresCluster } from "../testing/postgres-cluster.ts";
import { createRecordingLogger } from "../testing/recording-logger.ts";
import { createKeyRing } from "../vault/key-ring.ts";
import { SecretValue } from "../vault/secret-value.ts";
import { createVault } from "../vault/vault.ts";
import type { Database } from "./database.ts";
import { migrationsFolder, openServerDatabase } from "./open-server-database.ts";
import { sql } from "./query-builder.ts";
import { sandboxes as sandboxesTable, secretStores, storeSecrets } from "./schema.ts";

const journalSchema = z.looseObject({ entries: z.array(z.looseObject({ tag: z.string() })) });
const idSchema = z.object({ rows: z.tuple([z.object({ id: z.uuid() })]) });

/** What a database of the first version holds. */
async function fill(database: Pick<Database, "execute">) {
  const key = mintApiKey();
  const sandboxId = mintSandboxId();
  const result = await database.execute(
    sql`insert into orgs (name) values ('default') returning id`,
  );
  const orgId = idSchema.parse(result).rows[0].id;
  await database.execute(
    sql`insert into api_keys (org_id, kind, sha256) values (${orgId}, 'initial', ${hashApiKey(key)})`,
  );
  await database.execute(
    sql`insert into sandboxes (id, org_id, state, template_id, cpu_count, memory_mb,
          idle_timeout_seconds, metadata, tags, egress_mode, egress_allowlist, started_at, last_active_at,
          project_name, secret_store_name, base_secret_store_name)
        values (${sandboxId}, ${orgId}, 'running', 'base', 1, 1024, 300, '{"team": "a"}', '{}',
          'open', '[]', now(), now(), 's', 's', 's')`,
  );
  await database.execute(
    sql`insert into sandbox_secrets (org_id, sandbox_id, name, token, sealed, key_version,
          allowed_hosts, source_store_id)
        values (${orgId}, ${sandboxId}, 'K', 'osb_sealed_0', 'sealed', 'v1', '[]', ${orgId})`,
  );
  await database.execute(
    sql`insert into secret_stores (id, org_id, name, egress_allowlist)
        values (${orgId}, ${orgId}, 's', '[]')`,
  );
  await database.execute(
    sql`insert into store_secrets (org_id, store_id, name, sealed, key_version, allowed_hosts)
        values (${orgId}, ${orgId}, 'K', 'sealed', 'v1', '[]')`,
  );
  return { key, orgId, sandboxId };
}

async function assertKept(
  database: Database,
  { key, orgId, sandboxId }: Awaited<ReturnType<typeof fill>>,
) {
  const apiKeys = createApiKeyRepository(database, new OrgTransactions(database));
  assert.equal((await apiKeys.find(key))?.orgId, orgId);
  assert.equal((await apiKeys.list(orgId)).length, 1);
  const sandboxes = createSandboxRepository(database);
  const sandbox = await sandboxes.find(orgId, sandboxId);
  assert.deepEqual([sandbox?.state, sandbox?.metadata], ["running", { team: "a" }]);
  assert.deepEqual([sandbox?.tags, sandbox?.tagsUpdatedAt], [{}, null]);
  assert.deepEqual([sandbox?.envs, sandbox?.fromCheckpointId], [{}, null]);
  assert.equal(sandbox?.secretStoreId, orgId, "the store of the name that it has");
  assert.equal(sandbox?.baseSecretStoreId, null, "a project is no store");
  const [secret] = await sandboxes.listSecrets(orgId, sandboxId);
  assert.deepEqual([secret?.name, secret?.kind, secret?.token], ["K", "value", "osb_sealed_0"]);
  assert.deepEqual(secret?.substituteIn, ["header", "body"]);
  assert.deepEqual([sandbox?.machineId, sandbox?.sessionVersion], [null, 0]);
  assert.equal(await sandboxes.countHandOver(orgId, sandboxId), undefined, "no machine is known");
  const place = { sourceAddress: "198.18.0.6", machineId: orgId };
  await database.update(sandboxesTable).set(place);
  const { sessionVersion } = (await sandboxes.countHandOver(orgId, sandboxId)) ?? {};
  assert.equal(sessionVersion, 2, "higher than any that the proxies may have");
  const [store] = await database.select().from(secretStores);
  const [ofStore] = await database.select().from(storeSecrets);
  assert.deepEqual([store?.substituteIn, ofStore?.substituteIn], [null, null]);
  const vault = createVault(createKeyRing([["v1", Buffer.alloc(32, 1)]]));
  const formerSecrets = createFormerSecretRepository(vault);
  const owner = { kind: "sandbox", orgId, ids: [sandboxId] } as const;
  const former = {
    ...{
      ownerId: sandboxId,
      name: "K",
      kind: "value" as const,
      token: "osb_sealed_0",
      value: new SecretValue("v"),
      retiredAt: new Date(),
    },
    ...{ allowedHosts: ["a.example.com"], substituteIn: ["header"] },
  };
  await formerSecrets.add(database, owner, [former], new Date());
  const [listed] = await formerSecrets.list(database, owner, new Date());
  assert.deepEqual(
    [listed?.value.reveal(), listed?.allowedHosts, listed?.substituteIn],
    ["v", ["a.example.com"], ["header"]],
  );
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

  test("is migrated with what it holds", async () => {
    const url = await cluster.createDatabase();
    const client = new Pool({ connectionString: url });
    const older = drizzle({ client });
    await migrate(older, { migrationsFolder: firstMigrations });
    const held = await fill(older);
    await client.end();
    const { database, close } = await openServerDatabase(url, createRecordingLogger().logger);
    await assertKept(database, held);
    await close();
  });
});
