import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { limits, receivedEventSchema } from "@opencomputer/protocol/api";
import { drizzle } from "drizzle-orm/node-postgres";
import { Pool } from "pg";
import { Registry } from "prom-client";
import type { Database, OpenDatabase } from "../database/database.ts";
import { openServerDatabase } from "../database/open-server-database.ts";
import { eq, sql } from "../database/query-builder.ts";
import * as schema from "../database/schema.ts";
import { recordEvent } from "../events/record-event.ts";
import { ensureOrg } from "../orgs/org-repository.ts";
import { type PostgresCluster, startPostgresCluster } from "../testing/postgres-cluster.ts";
import { createRecordingLogger } from "../testing/recording-logger.ts";
import { eventually } from "../testing/test-installation.ts";
import {
  startWebhookReceiver,
  verifyMessage,
  type WebhookReceiver,
} from "../testing/webhook-receiver.ts";
import { createKeyRing } from "../vault/key-ring.ts";
import { createVault } from "../vault/vault.ts";
import { createDeliveryQueue } from "./delivery-queue.ts";
import { createWebhookAddresses } from "./send-message.ts";
import { createWebhookMaintenance } from "./webhook-maintenance.ts";
import { type AttemptResult, createWebhookMetrics } from "./webhook-metrics.ts";
import { insertWebhook, planWebhook } from "./webhook-repository.ts";
import { startWebhookSender, type WebhookSender } from "./webhook-sender.ts";

const { events, installations, webhookDeliveries, webhooks } = schema;
const sandboxId = "sb-aaaaaaaaaaaaaaaaaaaa";
const vault = createVault(createKeyRing([["v1", Buffer.alloc(32, 1)]]));

describe("webhooks", () => {
  const { logger, lines } = createRecordingLogger();
  let cluster: PostgresCluster;
  let url: string;
  let opened: OpenDatabase[];
  let database: Database;
  let orgId: string;
  let receiver: WebhookReceiver;
  let senders: WebhookSender[];
  let attempts: AttemptResult[];
  const metrics = { countAttempt: (result: AttemptResult) => void attempts.push(result) };
  before(async () => {
    cluster = await startPostgresCluster();
  });
  after(() => cluster.stop());

  beforeEach(async () => {
    url = await cluster.createDatabase();
    opened = [];
    senders = [];
    attempts = [];
    database = await open();
    await database.insert(installations).values({
      ...{ shortId: "0123abcd", encryptedCheck: "-", checkKeyVersion: "v1" },
      ...{ caCertificatePem: "-", encryptedCaKey: "-", caKeyVersion: "v1" },
    });
    orgId = await ensureOrg(database, "default");
    receiver = await startWebhookReceiver();
  });
  afterEach(async () => {
    await Promise.all(senders.map((sender) => sender.stop()));
    await receiver.close();
    await Promise.all(opened.map(({ close }) => close()));
  });

  async function open(): Promise<Database> {
    const another = await openServerDatabase(url, logger);
    opened.push(another);
    return another.database;
  }

  /** The sender of one more control plane, with connections of its own. */
  async function startSender(): Promise<WebhookSender> {
    const sender = startWebhookSender({
      queue: createDeliveryQueue(await open()),
      sending: createWebhookAddresses(["127.0.0.0/8"]),
      ...{ vault, metrics, logger },
    });
    senders.push(sender);
    return sender;
  }

  async function addWebhook(request: Partial<Parameters<typeof planWebhook>[0]> = {}) {
    const planned = planWebhook({ url: receiver.url, ...request });
    await insertWebhook(database, vault, { orgId, sandboxId: null }, planned);
    return { id: planned.id, secret: planned.secret.reveal() };
  }

  const record = (number = 1, transaction = database) =>
    recordEvent(transaction, {
      ...{ orgId, sandboxId, type: "sandbox.timed_out" },
      data: { idleTimeoutSeconds: number },
    });
  const deliveries = () => database.select().from(webhookDeliveries);
  const webhookRow = async (id: string) => {
    const [row] = await database.select().from(webhooks).where(eq(webhooks.id, id));
    assert.ok(row !== undefined);
    return row;
  };
  /** Removes the error of the last attempt, so that `untilAttempted` waits for that of the next. */
  const makeDue = () =>
    database
      .update(webhookDeliveries)
      .set({ nextAttemptAt: sql`now()`, error: null })
      .where(eq(webhookDeliveries.state, "pending"));
  const untilDelivered = (count: number) =>
    eventually(
      async () =>
        (await deliveries()).filter(({ state }) => state === "delivered").length === count,
      `${count} deliveries are made`,
    );
  /** Waits until an attempt was made and stored; the next one is due much later. */
  const untilAttempted = (attempts: number) =>
    eventually(async () => {
      const [row] = await deliveries();
      return row !== undefined && row.attempts >= attempts && row.error !== null;
    }, `attempt ${attempts} has failed`);

  test("an event is sent as it is listed, signed by the scheme of Standard Webhooks", async () => {
    const { secret } = await addWebhook();
    await record(7);
    await startSender();
    await untilDelivered(1);
    const [message] = receiver.messages;
    assert.ok(message !== undefined);
    const sent = verifyMessage(secret, message);
    const event = receivedEventSchema.parse(sent);
    const [row] = await database.select().from(events);
    assert.deepEqual([event.id, event.type, event.sandboxId], [row?.id, row?.type, sandboxId]);
    assert.deepEqual(event.data, { idleTimeoutSeconds: 7 });
    assert.equal(message.headers["webhook-id"], event.id);
    assert.equal(message.headers["content-type"], "application/json");
    assert.equal(JSON.parse(message.body).timestamp, event.time);
    const other = await addWebhook();
    assert.throws(() => verifyMessage(other.secret, message));
    assert.ok(!lines().includes(secret));
  });

  test("two control planes send each event once", async () => {
    await addWebhook();
    await addWebhook();
    const count = 60;
    await Promise.all([startSender(), startSender()]);
    for (let number = 1; number <= count; number += 1) await record(number);
    await untilDelivered(2 * count);
    const ids = receiver.ids();
    assert.equal(ids.length, 2 * count);
    assert.equal(new Set(ids).size, count);
  });

  test("what a lost control plane had taken is sent by another, when its lease has ended", async () => {
    await addWebhook();
    await record();
    const taken = await createDeliveryQueue(database).take(10, 10, { webhookIds: [], orgIds: [] });
    assert.equal(taken.length, 1);
    await startSender();
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    assert.deepEqual(receiver.messages, [], "it is the other one's still");
    await makeDue();
    await untilDelivered(1);
    const [lost] = taken;
    assert.ok(lost !== undefined);
    const outcome = { isDelivered: false, status: 500, error: "too late" };
    await createDeliveryQueue(database).finish(lost, outcome);
    assert.equal((await deliveries())[0]?.state, "delivered", "the former owner changes nothing");
  });

  test("an attempt that a stop breaks off is made again at once", async () => {
    await addWebhook();
    await record();
    let response = () => undefined as unknown;
    receiver.respond = () => response();
    const sender = await startSender();
    await eventually(() => receiver.messages.length === 1, "it was sent");
    await sender.stop();
    assert.equal((await deliveries())[0]?.state, "pending");
    response = () => undefined;
    receiver.respond = (answer) => void answer.writeHead(200).end("ok");
    await startSender();
    await untilDelivered(1);
    assert.deepEqual([receiver.ids().length, new Set(receiver.ids()).size], [2, 1]);
  });

  test("a transaction that is rolled back sends nothing", async () => {
    await addWebhook();
    await assert.rejects(
      database.transaction(async (transaction) => {
        await record(1, transaction);
        throw new Error("rolled back");
      }),
      /rolled back/,
    );
    assert.deepEqual(await deliveries(), []);
  });

  test("a webhook gets the types, and the sandbox, that it is for", async () => {
    const plan = planWebhook({ url: receiver.url });
    await insertWebhook(database, vault, { orgId, sandboxId: "sb-bbbbbbbbbbbbbbbbbbbb" }, plan);
    const typed = await addWebhook({ eventTypes: ["sandbox.killed"] });
    await addWebhook({ eventTypes: ["sandbox.ready"] });
    const foreign = await ensureOrg(database, "foreign");
    const killed = { type: "sandbox.killed", data: { reason: "requested" } } as const;
    await recordEvent(database, { orgId: foreign, sandboxId, ...killed });
    assert.deepEqual(await deliveries(), []);
    await recordEvent(database, { orgId, sandboxId, ...killed });
    await recordEvent(database, { orgId, sandboxId: plan.id, type: "sandbox.woken", data: {} });
    await recordEvent(database, {
      ...{ orgId, sandboxId: "sb-bbbbbbbbbbbbbbbbbbbb", type: "sandbox.woken", data: {} },
    });
    assert.deepEqual(
      new Set((await deliveries()).map(({ webhookId }) => webhookId)),
      new Set([typed.id, plan.id]),
    );
    assert.equal((await deliveries()).length, 2);
  });

  for (const [what, respond, error, result] of [
    ["fails", (response) => response.writeHead(500).end(), "Responded with status 500", "rejected"],
    [
      "redirects",
      (response) => response.writeHead(307, { location: "/elsewhere" }).end(),
      "Responded with status 307",
      "rejected",
    ],
    ["breaks off", (response) => response.destroy(), "ECONNRESET", "unreachable"],
    ["lies", (response) => response.socket?.end("HTTP/9.9 200 OK\r\n\r\n"), "HPE_", "unreachable"],
  ] satisfies [string, WebhookReceiver["respond"], string, AttemptResult][]) {
    test(`a receiver that ${what} gets it again, later`, async () => {
      const { id } = await addWebhook();
      await record();
      receiver.respond = respond;
      await startSender();
      await untilAttempted(1);
      const [row] = await deliveries();
      assert.ok(row !== undefined);
      assert.ok(row.error?.includes(error), row.error ?? "");
      assert.equal(row.state, "pending");
      assert.ok(row.nextAttemptAt.getTime() > (row.lastAttemptAt?.getTime() ?? 0));
      assert.equal(receiver.messages.length, 1, "nothing was followed");
      assert.ok((await webhookRow(id)).failingSince !== null);
      receiver.respond = (response) => void response.writeHead(200).end("fine");
      await makeDue();
      await untilDelivered(1);
      assert.equal((await webhookRow(id)).failingSince, null);
      assert.deepEqual([(await deliveries())[0]?.error, new Set(receiver.ids()).size], [null, 1]);
      assert.deepEqual(attempts, [result, "delivered"]);
    });
  }

  test("a receiver that hangs holds nobody else up, and is given up on in time", async () => {
    const hanging = await startWebhookReceiver();
    hanging.respond = () => undefined;
    try {
      const { id } = await addWebhook({ url: hanging.url });
      await addWebhook();
      for (let number = 1; number <= 20; number += 1) await record(number);
      await startSender();
      await untilDelivered(20);
      assert.ok(hanging.messages.length <= 8, "so many at once at most");
      await eventually(
        async () => (await webhookRow(id)).failingSince !== null,
        "its attempts have failed",
        4 * limits.webhookTimeoutSeconds * 1000,
      );
      const late = (await deliveries()).find(({ error }) => error !== null);
      assert.equal(late?.error, `No response within ${limits.webhookTimeoutSeconds} s`);
    } finally {
      await hanging.close();
    }
  });

  test("webhooks of one org that hang do not hold up those of another", async () => {
    const hanging = await startWebhookReceiver();
    hanging.respond = () => undefined;
    const other = await ensureOrg(database, "other");
    try {
      for (let count = 0; count < 12; count += 1) await addWebhook({ url: hanging.url });
      const planned = planWebhook({ url: receiver.url });
      await insertWebhook(database, vault, { orgId: other, sandboxId: null }, planned);
      for (let number = 1; number <= 20; number += 1) await record(number);
      await startSender();
      await eventually(() => hanging.messages.length >= 16, "those of the first org are under way");
      await recordEvent(database, {
        ...{ orgId: other, sandboxId, type: "sandbox.timed_out" },
        data: { idleTimeoutSeconds: 1 },
      });
      await untilDelivered(1);
      assert.ok(hanging.messages.length <= 40, `${hanging.messages.length} at once`);
    } finally {
      await hanging.close();
    }
  });

  test("a delivery that succeeded is stored in one statement, which ends a failure of its webhook", async () => {
    const { id } = await addWebhook();
    await database.update(webhooks).set({ failingSince: sql`now()` });
    await record();
    const statements: string[] = [];
    const pool = new Pool({ connectionString: url });
    try {
      const logger = { logQuery: (statement: string) => void statements.push(statement) };
      const queue = createDeliveryQueue(drizzle({ client: pool, schema, logger }));
      const [taken] = await queue.take(1, 1, { webhookIds: [], orgIds: [] });
      assert.ok(taken !== undefined);
      statements.length = 0;
      const outcome = { isDelivered: true, status: 204, error: null };
      assert.deepEqual(await queue.finish(taken, outcome), { isDisabled: false });
      assert.equal(statements.length, 1, statements.join("\n"));
    } finally {
      await pool.end();
    }
    const [row] = await deliveries();
    assert.deepEqual([row?.state, row?.responseStatus, row?.error], ["delivered", 204, null]);
    assert.equal((await webhookRow(id)).failingSince, null);
  });

  test("410 disables a webhook at once, which is an event for others", async () => {
    const gone = await startWebhookReceiver();
    gone.respond = (response) => void response.writeHead(410).end();
    try {
      const { id } = await addWebhook({ url: gone.url });
      const other = await addWebhook({ eventTypes: ["webhook.disabled"] });
      await record();
      await startSender();
      await eventually(() => receiver.messages.length === 1, "the event is sent to the other");
      const [message] = receiver.messages;
      assert.ok(message !== undefined);
      const event = receivedEventSchema.parse(verifyMessage(other.secret, message));
      assert.deepEqual(event.data, { webhookId: id, reason: "gone" });
      const row = await webhookRow(id);
      assert.deepEqual([row.enabled, row.disabledReason], [false, "gone"]);
      await record();
      const ofGone = (await deliveries()).filter(({ webhookId }) => webhookId === id);
      assert.deepEqual(
        ofGone.map(({ state }) => state),
        ["failed"],
      );
      assert.ok(!message.body.includes(gone.url), "its URL may be a credential");
    } finally {
      await gone.close();
    }
  });

  test("failures for a day disable a webhook, those of less do not", async () => {
    const { id } = await addWebhook();
    await record();
    receiver.respond = (response) => void response.writeHead(503).end();
    await startSender();
    await untilAttempted(1);
    const failFor = async (hours: number, attempts: number) => {
      await database
        .update(webhooks)
        .set({ failingSince: sql`now() - make_interval(hours => ${hours})` });
      await makeDue();
      await untilAttempted(attempts);
      await eventually(() => receiver.messages.length === attempts, "it was sent again");
    };
    await failFor(23, 2);
    assert.equal((await webhookRow(id)).enabled, true);
    await failFor(25, 3);
    await eventually(async () => !(await webhookRow(id)).enabled, "it is disabled");
    assert.equal((await webhookRow(id)).disabledReason, "failing");
  });

  test("the last attempt of the schedule gives up", async () => {
    await addWebhook();
    await record();
    await database.update(webhookDeliveries).set({ attempts: 11 });
    receiver.respond = (response) => void response.writeHead(500).end();
    await startSender();
    await untilAttempted(12);
    assert.equal((await deliveries())[0]?.state, "failed");
  });

  test("an address that is not public is not dialled", async () => {
    const { id } = await addWebhook();
    await record();
    const sender = startWebhookSender({
      queue: createDeliveryQueue(database),
      sending: createWebhookAddresses([]),
      ...{ vault, metrics, logger },
    });
    senders.push(sender);
    await untilAttempted(1);
    assert.match(
      (await deliveries())[0]?.error ?? "",
      /^127\.0\.0\.1 is not on the public internet/,
    );
    assert.deepEqual(receiver.messages, []);
    assert.ok((await webhookRow(id)).failingSince !== null);
  });

  test("metrics have attempts, what is to be sent, and webhooks by state, without any of their URLs", async () => {
    const registry = new Registry();
    const { count } = createWebhookMaintenance(database);
    let isAway = false;
    const { countAttempt } = createWebhookMetrics(registry, async () => {
      if (isAway) throw new Error("the database is away");
      return count();
    });
    const gone = await addWebhook();
    await addWebhook();
    await record();
    countAttempt("rejected");
    const disabled = { enabled: false, disabledReason: "gone" } as const;
    await database.update(webhooks).set(disabled).where(eq(webhooks.id, gone.id));
    const scrape = async () => (await registry.metrics()).split("\n");
    const samples = await scrape();
    for (const sample of [
      'opencomputer_webhook_attempts_total{result="rejected"} 1',
      'opencomputer_webhook_attempts_total{result="unreachable"} 0',
      "opencomputer_webhook_deliveries_pending 2",
      'opencomputer_webhooks{state="enabled"} 1',
      'opencomputer_webhooks{state="gone"} 1',
      'opencomputer_webhooks{state="failing"} 0',
    ]) {
      assert.ok(samples.includes(sample), `${sample}\n${samples.join("\n")}`);
    }
    assert.ok(!samples.some((line) => line.includes(new URL(receiver.url).port)));
    isAway = true;
    const without = (await scrape()).filter((line) => !line.startsWith("#"));
    assert.ok(!without.some((line) => /deliveries_pending|webhooks\{/.test(line)));
  });

  test("maintenance ends webhooks of sandboxes that are no more, and deletes old deliveries", async () => {
    const plan = planWebhook({ url: receiver.url });
    await insertWebhook(database, vault, { orgId, sandboxId }, plan);
    const { id } = await addWebhook();
    await record();
    const { deleteExpired } = createWebhookMaintenance(database);
    await deleteExpired();
    assert.equal((await database.select().from(webhooks)).length, 2, "a delivery is pending");
    await database.update(webhookDeliveries).set({ state: "delivered" });
    await deleteExpired();
    assert.deepEqual(
      (await database.select().from(webhooks)).map((row) => row.id),
      [id],
    );
    const [event] = await database.select().from(events);
    await database.execute(
      sql`insert into webhook_deliveries (webhook_id, event_id, created_at)
          select ${id}, ${event?.id}, now() - make_interval(secs => n)
          from generate_series(1, ${limits.deliveriesPerWebhookMax}) n`,
    );
    await deleteExpired();
    assert.equal(await database.$count(webhookDeliveries), limits.deliveriesPerWebhookMax);
    await database.update(webhooks).set({ enabled: false });
    await deleteExpired();
    const pending = eq(webhookDeliveries.state, "pending");
    assert.equal(await database.$count(webhookDeliveries, pending), 0);
  });
});
