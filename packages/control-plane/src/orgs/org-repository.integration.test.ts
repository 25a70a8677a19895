import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openServerDatabase } from "../database/open-server-database.ts";
import { orgs } from "../database/schema.ts";
import { type PostgresCluster, startPostgresCluster } from "../testing/postgres-cluster.ts";
import { createRecordingLogger } from "../testing/recording-logger.ts";
import { ensureOrg, OrgTransactions } from "./org-repository.ts";

let cluster: PostgresCluster | undefined;
before(async () => {
  cluster = await startPostgresCluster();
});
after(() => cluster?.stop());

test("OrgTransactions: transactions of one org run in order, and take no connection while they wait", async () => {
  assert.ok(cluster !== undefined);
  const opened = await openServerDatabase(
    await cluster.createDatabase(),
    createRecordingLogger().logger,
  );
  const { database } = opened;
  const orgTransactions = new OrgTransactions(database);
  const [one, other] = [await ensureOrg(database, "one"), await ensureOrg(database, "other")];
  let release = (): void => undefined;
  let held = Promise.resolve();
  await new Promise<void>((begun) => {
    held = orgTransactions.run(one, () => {
      begun();
      return new Promise<void>((resolve) => {
        release = resolve;
      });
    });
  });
  const order: number[] = [];
  const waiting = Array.from({ length: 40 }, (_, index) =>
    orgTransactions.run(one, async () => void order.push(index)),
  );
  assert.equal(await orgTransactions.run(other, async () => "at once"), "at once");
  assert.equal((await database.select().from(orgs)).length, 2);
  assert.equal(opened.connections().waiting, 0);
  assert.deepEqual(order, []);
  release();
  await Promise.all([held, ...waiting]);
  assert.deepEqual(
    order,
    waiting.map((_, index) => index),
  );
  await opened.close();
});
