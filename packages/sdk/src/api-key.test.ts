import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ApiKey } from "./api-key.ts";
import type { ConnectionOptions } from "./connection.ts";
import { type ContractServer, startContractServer } from "./testing/start-contract-server.ts";

describe("ApiKey", () => {
  let server: ContractServer;
  let connection: ConnectionOptions;
  before(async () => {
    server = await startContractServer();
    connection = { apiKey: server.apiKey, apiUrl: server.url };
  });
  after(() => server.close());

  test("create returns the value of the key, list never, revoke removes the key", async () => {
    const created = await ApiKey.create({ name: "ci", ...connection });
    assert.match(created.key, /^osb_[0-9a-f]{64}$/);
    const listed = await ApiKey.list(connection);
    assert.deepEqual(
      listed.map(({ name }) => name),
      ["initial", "ci"],
    );
    assert.ok(!JSON.stringify(listed).includes(created.key));
    await ApiKey.revoke(created.id, connection);
    await assert.rejects(ApiKey.revoke(created.id, connection), { code: "not_found" });
  });

  test("revoke of the last key is refused", async () => {
    const [last] = await ApiKey.list(connection);
    assert.ok(last !== undefined);
    await assert.rejects(ApiKey.revoke(last.id, connection), { code: "last_api_key", status: 409 });
  });
});
