import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, beforeEach, describe, test } from "node:test";
import type { EgressLogLine } from "@opencomputer/protocol/wire";
import { drizzle } from "drizzle-orm/node-postgres";
import { migrate } from "drizzle-orm/node-postgres/migrator";
import { Pool } from "pg";
import type { Database } from "../database/database.ts";
import { migrationsFolder } from "../database/open-server-database.ts";
import * as schema from "../database/schema.ts";
import { ensureOrg } from "../orgs/org-repository.ts";
import { testExchange } from "../testing/fake-egress-proxy.ts";
import { type PostgresCluster, startPostgresCluster } from "../testing/postgres-cluster.ts";
import { storeEgressLog } from "./store-egress-log.ts";

const { egressLog, events, installations, sandboxes } = schema;
const sandboxId = "sb-aaaaaaaaaaaaaaaaaaaa";

describe("storeEgressLog", () => {
  let cluster: PostgresCluster;
  let pool: Pool;
  let database: Database;
  let orgId: string;
  let statements = 0;

  before(async () => {
    cluster = await startPostgresCluster();
    pool = new Pool({ connectionString: await cluster.createDatabase() });
    const logger = {
      logQuery() {
        statements += 1;
      },
    };
    const opened = drizzle({ client: pool, schema, logger });
    await migrate(opened, { migrationsFolder });
    database = opened;
    await database.insert(installations).values({
      ...{ shortId: "0123abcd", encryptedCheck: "-", checkKeyVersion: "v1" },
      ...{ caCertificatePem: "-", encryptedCaKey: "-", caKeyVersion: "v1" },
    });
    orgId = await ensureOrg(database, "default");
  });
  after(async () => {
    await pool.end();
    await cluster.stop();
  });

  beforeEach(async () => {
    await database.delete(egressLog);
    await database.delete(events);
    await database.delete(sandboxes);
    await database.insert(sandboxes).values({
      ...{ id: sandboxId, orgId, state: "stopped", templateId: "base", cpuCount: 1 },
      ...{ memoryMB: 1024, idleTimeoutSeconds: 0, metadata: {}, egressMode: "allowlisted" },
      ...{ egressAllowlist: [], tags: {}, startedAt: new Date(), lastActiveAt: new Date() },
      stoppedAt: new Date(),
    });
  });

  /** Refused connections to as many hosts, each of which is an event. */
  const refusals = (from: number, to: number): EgressLogLine[] =>
    Array.from({ length: to - from }, (_, index) => ({
      ...testExchange({ host: `host-${from + index}.example.com`, decision: "refused" }),
      ...{ reason: "not on the list", sequence: from + index + 1, sandboxId, wasSent: false },
    }));

  test("takes as many statements for many lines as for one", async () => {
    const instanceId = randomUUID();
    const statementsFor = async (lines: EgressLogLine[]) => {
      const before = statements;
      assert.equal(await storeEgressLog(database, { instanceId, lines }), lines.length);
      return statements - before;
    };
    const one = await statementsFor(refusals(0, 1));
    assert.equal(await statementsFor(refusals(1, 90)), one);
    assert.equal(await database.$count(events), 90);
  });

  test("stores the lines that it has not stored yet, in the order of their sequences", async () => {
    const instanceId = randomUUID();
    await storeEgressLog(database, { instanceId, lines: refusals(0, 20) });
    assert.equal(await storeEgressLog(database, { instanceId, lines: refusals(10, 40) }), 20);
    const rows = await database.select().from(egressLog).orderBy(egressLog.id);
    assert.deepEqual(
      rows.map(({ sequence, host }) => [sequence, host]),
      refusals(0, 40).map(({ sequence, host }) => [sequence, host]),
    );
    assert.equal(await database.$count(events), 40);
  });

  test("stores each field as it was reported", async () => {
    const secrets = {
      ...{ substituted: [{ name: "KEY", places: ["header x-a"] }], redacted: [] },
      ...{ withheld: [{ name: "B", place: "body", reason: "host" as const }], leaked: [] },
      foreignTokens: 2,
    };
    const time = new Date("2026-01-02T03:04:05.678Z");
    const line: EgressLogLine = {
      ...testExchange({ host: "\u{1f600}.example", port: 8443, secrets }),
      ...{ method: "GET", path: '/a?"b"\\', reason: null, status: 204, leftOut: 3 },
      ...{ requestBytes: 2 ** 40, responseBytes: 7, durationMilliseconds: 1.25 },
      ...{ time: time.toISOString(), sequence: 2 ** 40, sandboxId, wasSent: true },
    };
    await storeEgressLog(database, { instanceId: randomUUID(), lines: [line] });
    const [row] = await database.select().from(egressLog);
    assert.ok(row !== undefined);
    const { id: _id, storedAt: _storedAt, instanceId: _instanceId, ...stored } = row;
    const { method, path, reason, requestBytes, responseBytes, durationMilliseconds, ...rest } =
      line;
    assert.deepEqual(stored, {
      ...{ ...rest, orgId, time },
      shown: { method, path, reason, requestBytes, responseBytes, durationMilliseconds },
    });
  });
});
