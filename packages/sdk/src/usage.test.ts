import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { ConnectionOptions } from "./connection.ts";
import { Sandbox } from "./sandbox/sandbox.ts";
import { type ContractServer, startContractServer } from "./testing/start-contract-server.ts";
import { Usage } from "./usage.ts";

describe("Usage", () => {
  let server: ContractServer;
  let connection: ConnectionOptions;
  let sandbox: Sandbox;
  before(async () => {
    server = await startContractServer();
    connection = { apiKey: server.apiKey, apiUrl: server.url };
    sandbox = await Sandbox.create(connection);
    await sandbox.setTags({ team: "a&b=c" });
    await (await Sandbox.create(connection)).setTags({ team: "other" });
  });
  after(() => server.close());

  test("of a sandbox has what it uses now, and its buckets", async () => {
    const usage = await sandbox.usage({ since: new Date(Date.now() - 3600_000) });
    assert.deepEqual([usage.sandboxID, usage.status], [sandbox.id, "running"]);
    assert.equal(usage.current?.cpuPercent, 12.5);
    assert.equal(usage.buckets.length, 1);
    const absent = Usage.ofSandbox("sb-none", connection);
    await assert.rejects(absent, { code: "sandbox_not_found", status: 404 });
  });

  test("of the org chooses by tags, whatever their values hold, and by page", async () => {
    const all = await Usage.ofOrg(connection);
    assert.deepEqual([all.sandboxCount, all.sandboxes.length, all.cursor], [2, 2, null]);
    const chosen = await Usage.ofOrg({ ...connection, tags: { team: "a&b=c" } });
    assert.deepEqual(
      chosen.sandboxes.map(({ sandboxID }) => sandboxID),
      [sandbox.id],
    );
    const both = await Usage.ofOrg({ ...connection, tags: { team: "a&b=c", other: "x" } });
    assert.equal(both.sandboxCount, 0);
    const first = await Usage.ofOrg({ ...connection, limit: 1 });
    const second = await Usage.ofOrg({ ...connection, limit: 1, cursor: first.cursor ?? "" });
    assert.notEqual(first.sandboxes[0]?.sandboxID, second.sandboxes[0]?.sandboxID);
    assert.equal(second.cursor, null);
  });

  test("by tag has its values, and null for sandboxes without it", async () => {
    await Sandbox.create(connection);
    const { key, values } = await Usage.byTag("team", connection);
    assert.equal(key, "team");
    assert.deepEqual(
      new Map(values.map(({ value, sandboxCount }) => [value, sandboxCount])),
      new Map([
        ["a&b=c", 1],
        ["other", 1],
        [null, 1],
      ]),
    );
  });
});
