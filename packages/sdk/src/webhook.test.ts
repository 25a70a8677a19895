import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { ConnectionOptions } from "./connection.ts";
import { Sandbox } from "./sandbox/sandbox.ts";
import { type ContractServer, startContractServer } from "./testing/start-contract-server.ts";
import { Webhook } from "./webhook.ts";

const url = "https://receiver.example.com/";

describe("Webhook", () => {
  let server: ContractServer;
  let connection: ConnectionOptions;
  before(async () => {
    server = await startContractServer();
    connection = { apiKey: server.apiKey, apiUrl: server.url };
  });
  after(() => server.close());

  test("create returns the secret, which no other call does", async () => {
    const { secret, ...record } = await Webhook.create({ ...connection, url });
    assert.match(secret, /^whsec_/);
    assert.deepEqual(await Webhook.get(record.id, connection), record);
    assert.ok(!JSON.stringify(await Webhook.list(connection)).includes(secret));
    const given = `whsec_${Buffer.alloc(32, 1).toString("base64")}`;
    const other = await Webhook.create({ ...connection, url, secret: given });
    assert.equal(other.secret, given);
  });

  test("update changes what is passed alone", async () => {
    const eventTypes = ["sandbox.killed"] as const;
    const { id } = await Webhook.create({ ...connection, url, eventTypes });
    const disabled = await Webhook.update(id, { ...connection, enabled: false });
    assert.deepEqual([disabled.url, disabled.eventTypes], [url, ["sandbox.killed"]]);
    assert.deepEqual([disabled.enabled, disabled.disabledReason], [false, "requested"]);
    const all = await Webhook.update(id, { ...connection, eventTypes: null, enabled: true });
    assert.deepEqual([all.eventTypes, all.disabledReason], [null, null]);
    await Webhook.delete(id, connection);
    await assert.rejects(Webhook.get(id, connection), { code: "not_found" });
  });

  test("deliveries are listed, and sent again", async () => {
    const { id } = await Webhook.create({ ...connection, url, eventTypes: ["sandbox.ready"] });
    await Sandbox.create(connection);
    const [delivery, ...others] = await Webhook.listDeliveries(id, connection);
    assert.deepEqual([delivery?.eventType, others], ["sandbox.ready", []]);
    const again = await Webhook.resend(id, delivery?.id ?? "", connection);
    assert.equal(again.eventId, delivery?.eventId);
    const options = { ...connection, state: "delivered", limit: 1 } as const;
    assert.deepEqual(await Webhook.listDeliveries(id, options), [again]);
    const pending = { ...connection, state: "pending" } as const;
    assert.deepEqual(await Webhook.listDeliveries(id, pending), []);
  });

  test("those of a sandbox come with it", async () => {
    const sandbox = await Sandbox.create({ ...connection, webhooks: [{ url }] });
    const [created] = sandbox.info.webhooks ?? [];
    assert.ok(created !== undefined);
    assert.match(created.secret, /^whsec_/);
    const listed = await Webhook.list({ ...connection, sandboxId: sandbox.id });
    assert.deepEqual(
      listed.map(({ id }) => id),
      [created.id],
    );
    assert.ok((await Webhook.list(connection)).every(({ sandboxId }) => sandboxId === null));
  });
});
