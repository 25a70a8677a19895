import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { createCheckpointRepository } from "../checkpoints/checkpoint-repository.ts";
import { ensureOrg } from "../orgs/org-repository.ts";
import { mintSandboxId } from "../sandboxes/identity/sandbox-identity.ts";
import { createSandboxRepository } from "../sandboxes/rows/sandbox-repository.ts";
import { type PostgresCluster, startPostgresCluster } from "../testing/postgres-cluster.ts";
import { createRecordingLogger } from "../testing/recording-logger.ts";
import type { OpenDatabase } from "./database.ts";
import { openServerDatabase } from "./open-server-database.ts";

describe("lists, of objects that may have a megabyte each", () => {
  let cluster: PostgresCluster;
  let opened: OpenDatabase;
  let orgId: string;
  before(async () => {
    cluster = await startPostgresCluster();
    const { logger } = createRecordingLogger();
    opened = await openServerDatabase(await cluster.createDatabase(), logger);
    orgId = await ensureOrg(opened.database, "default");
  });
  after(async () => {
    await opened.close();
    await cluster.stop();
  });

  const sandboxId = mintSandboxId();
  const config = {
    ...{ templateId: "base", cpuCount: 1, memoryMB: 1024, idleTimeoutSeconds: 300 },
    ...{ metadata: {}, egressMode: "open" as const, egressAllowlist: ["a.example.com"] },
    envs: { LARGE: "x".repeat(1000) },
  };
  const unread = ["envs", "egressAllowlist", "appliedPatchIds"];

  function assertNoneOf(names: string[], row: object | undefined): void {
    assert.ok(row !== undefined);
    for (const name of names) assert.ok(!(name in row), name);
  }

  test("sandboxes: none of their variables, lists of hosts and patches is read", async () => {
    const sandboxes = createSandboxRepository(opened.database);
    const row = { ...config, id: sandboxId, orgId, state: "running", tags: {} } as const;
    const now = new Date();
    await sandboxes.insert(opened.database, { ...row, startedAt: now, lastActiveAt: now }, []);
    const [listed, ...others] = await sandboxes.list(orgId, ["running"]);
    assert.deepEqual([listed?.id, others], [sandboxId, []]);
    assertNoneOf(unread, listed);
  });

  test("checkpoints: none of their variables, lists of hosts and patches is read", async () => {
    const checkpoints = createCheckpointRepository(opened.database);
    const id = randomUUID();
    await checkpoints.insert(
      opened.database,
      {
        ...{ ...config, id, orgId, sandboxId },
        ...{ name: "c", kind: "full", status: "ready" },
      },
      [],
    );
    const [listed, ...others] = await checkpoints.list(orgId, sandboxId);
    assert.deepEqual([listed?.id, others], [id, []]);
    assertNoneOf([...unread, "metadata"], listed);
  });
});
