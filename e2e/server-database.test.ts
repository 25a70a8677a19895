import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type Scenario, searchDirectory, startScenario } from "@opencomputer/harness";
import { Sandbox } from "@opencomputer/sdk";
import { type DatabaseCluster, startDatabaseCluster } from "./database-cluster.ts";

const host = "api.example.test";
const key = "canary-server-database-5cd07e91b3a86f42";

describe("the service on a PostgreSQL server (full run)", () => {
  let cluster: DatabaseCluster;
  let scenario: Scenario;
  before(async () => {
    cluster = await startDatabaseCluster();
    scenario = await startScenario({
      hosts: [host],
      environment: {
        DATABASE_URL: cluster.url,
        OPENSANDBOX_SECRET_ENCRYPTION_KEY: "ab".repeat(32),
        OPENCOMPUTER_API_KEY: `osb_${"cd".repeat(32)}`,
      },
    });
  });
  after(async () => {
    assert.deepEqual(await scenario.end(), []);
    await cluster.stop();
  });

  test("does the main job, with a preset API key and encryption key", async () => {
    const store = await scenario.createStore({ egressAllowlist: [host], secrets: { KEY: key } });
    const sandbox = await scenario.createSandbox({ secretStore: store.name });
    await sandbox.exec.run(`curl -s https://${host}/ -H "x-api-key: $KEY"`);
    assert.equal(scenario.internet.requestsTo(host).at(-1)?.headers["x-api-key"], key);
    assert.deepEqual(
      (await Sandbox.list(scenario.connection)).map((one) => one.sandboxID),
      [sandbox.sandboxId],
    );
    const { leaks } = await searchDirectory(scenario.installation.dataDirectory, [
      key,
      "ab".repeat(32),
      "cd".repeat(32),
    ]);
    assert.deepEqual(leaks, []);
  });
});
