import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { ConnectionOptions } from "./connection.ts";
import { EgressLog } from "./egress-log.ts";
import { Sandbox } from "./sandbox/sandbox.ts";
import { type ContractServer, startContractServer } from "./testing/start-contract-server.ts";

describe("EgressLog", () => {
  let server: ContractServer;
  let connection: ConnectionOptions;
  let sandbox: Sandbox;
  before(async () => {
    server = await startContractServer();
    connection = { apiKey: server.apiKey, apiUrl: server.url };
    sandbox = await Sandbox.create(connection);
  });
  after(() => server.close());

  const cursorsOf = (entries: readonly { cursor: string }[]) => entries.map(({ cursor }) => cursor);

  test("list chooses by place, order, decision and host", async () => {
    const all = await sandbox.egress.list();
    assert.deepEqual([cursorsOf(all.entries), all.hasMore], [["1", "2"], false]);
    const newest = await sandbox.egress.list({ order: "desc", limit: 1 });
    assert.deepEqual([cursorsOf(newest.entries), newest.hasMore], [["2"], true]);
    const rest = await sandbox.egress.list({ cursor: "1" });
    assert.deepEqual(cursorsOf(rest.entries), ["2"]);
    const refused = await sandbox.egress.list({ refused: true });
    assert.deepEqual(cursorsOf(refused.entries), ["2"]);
    assert.deepEqual((await sandbox.egress.list({ host: "none.example.com" })).entries, []);
  });

  test("follow has what is after its cursor, and without one what is after the newest", async () => {
    const cursors: string[] = [];
    for await (const entry of sandbox.egress.follow({ cursor: "0" })) {
      cursors.push(entry.cursor);
      if (cursors.length === 2) break;
    }
    assert.deepEqual(cursors, ["1", "2"]);
    server.interceptNext(
      (_, response) => response.writeHead(403).end('{"error":"no","code":"forbidden"}'),
      "egress?cursor=2",
    );
    await assert.rejects(sandbox.egress.follow().next(), { code: "forbidden" });
  });

  test("the log of a killed sandbox is read by its id", async () => {
    const killed = await Sandbox.create(connection);
    await killed.kill();
    const log = new EgressLog(killed.id, connection);
    assert.equal((await log.list()).entries.length, 2);
    assert.deepEqual((await log.suggest()).egressAllowlist, ["api.example.com"]);
    const absent = new EgressLog("sb-none", connection).list();
    await assert.rejects(absent, { code: "sandbox_not_found", status: 404 });
  });
});
