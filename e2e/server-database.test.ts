import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { after, before, describe, test } from "node:test";
import { type Scenario, searchDirectory, startScenario } from "@opencomputer/harness";
import { Sandbox } from "@opencomputer/sdk";

const host = "api.example.test";
const key = "canary-server-database-5c";

/** Debian's way to a PostgreSQL cluster that lives as long as the program it runs. */
async function startCluster(): Promise<{ url: string; stop(): Promise<void> }> {
  const child: ChildProcess = spawn(
    "pg_virtualenv",
    ["-t", "bash", "-c", 'echo "cluster $PGPORT $PGPASSWORD"; read end'],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  const closed = once(child, "close");
  if (child.stdout === null || child.stdin === null) throw new Error("pg_virtualenv has no pipes");
  for await (const line of createInterface({ input: child.stdout })) {
    const [, port, password] = /^cluster (\d+) (\S+)$/.exec(line) ?? [];
    if (port === undefined) continue;
    return {
      url: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`,
      async stop() {
        child.stdin?.end("\n");
        await closed;
      },
    };
  }
  throw new Error("pg_virtualenv ended before its cluster was up: is postgresql installed?");
}

describe("the service on a PostgreSQL server", () => {
  let cluster: Awaited<ReturnType<typeof startCluster>>;
  let scenario: Scenario;
  before(async () => {
    cluster = await startCluster();
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
