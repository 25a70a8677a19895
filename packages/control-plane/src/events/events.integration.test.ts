import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { limits } from "@opencomputer/protocol/api";
import type { Database, OpenDatabase } from "../database/database.ts";
import { openServerDatabase } from "../database/open-server-database.ts";
import { eq, sql } from "../database/query-builder.ts";
import { events as eventTable, installations } from "../database/schema.ts";
import { ensureOrg } from "../orgs/org-repository.ts";
import { type PostgresCluster, startPostgresCluster } from "../testing/postgres-cluster.ts";
import { createRecordingLogger } from "../testing/recording-logger.ts";
import { createSeededRandom } from "../testing/seeded-random.ts";
import { type EventPlace, firstPlace } from "./event-cursor.ts";
import { createEventMaintenance } from "./event-maintenance.ts";
import { createEventRepository, type EventFilter } from "./event-repository.ts";
import { recordEvent, recordEvents } from "./record-event.ts";

const sandboxId = "sb-aaaaaaaaaaaaaaaaaaaa";
const shortId = "0123abcd";

describe("events", () => {
  let cluster: PostgresCluster;
  let opened: OpenDatabase;
  let database: Database;
  let orgId: string;

  before(async () => {
    cluster = await startPostgresCluster();
  });
  after(() => cluster.stop());

  beforeEach(async () => {
    opened = await openServerDatabase(
      await cluster.createDatabase(),
      createRecordingLogger().logger,
    );
    database = opened.database;
    await database.insert(installations).values({
      ...{ shortId, encryptedCheck: "-", checkKeyVersion: "v1", caCertificatePem: "-" },
      ...{ encryptedCaKey: "-", caKeyVersion: "v1" },
    });
    orgId = await ensureOrg(database, "default");
  });
  afterEach(() => opened.close());

  /** Records an event whose data identifies it. */
  const record = (transaction: Database, number: number) =>
    recordEvent(transaction, {
      ...{ orgId, sandboxId, type: "sandbox.timed_out" },
      data: { idleTimeoutSeconds: number },
    });

  async function read(
    from: EventPlace | undefined,
    {
      order = "asc",
      limit = 100,
      ...filter
    }: EventFilter & {
      order?: "asc" | "desc";
      limit?: number;
    } = {},
  ) {
    const page = await createEventRepository(database).list(orgId, filter, { from, order, limit });
    const numbers = page.events.map((event) =>
      event.type === "sandbox.timed_out" ? event.data.idleTimeoutSeconds : -1,
    );
    return { ...page, numbers };
  }

  test("an event has what it was recorded with, and what the database adds", async () => {
    await record(database, 1);
    const [event] = (await read(undefined)).events;
    assert.ok(event !== undefined);
    const { id, cursor, time, ...rest } = event;
    assert.deepEqual(rest, {
      ...{ nodeId: shortId, sandboxId, type: "sandbox.timed_out" },
      data: { idleTimeoutSeconds: 1 },
    });
    assert.match(id, /^[0-9a-f-]{36}$/);
    assert.match(cursor, /^[0-9]+-[0-9]+$/);
    assert.ok(Math.abs(Date.parse(time) - Date.now()) < 600_000);
  });

  test("data that its type does not have is refused, and unknown fields are dropped", async () => {
    const owner = { orgId, sandboxId, type: "sandbox.memory_lost" } as const;
    const tooLong = "x".repeat(limits.eventTextCharactersMax + 1);
    await assert.rejects(recordEvent(database, { ...owner, data: { reason: tooLong } }));
    await recordEvent(database, { ...owner, data: { reason: "r", value: "secret" } as never });
    assert.deepEqual(
      (await read(undefined)).events.map(({ data }) => data),
      [{ reason: "r" }],
    );
  });

  test("events that are recorded together are read in their order", async () => {
    const numbers = Array.from({ length: 500 }, (_, index) => (index * 7) % 500);
    await recordEvents(
      database,
      numbers.map((number) => ({
        ...{ orgId, sandboxId, type: "sandbox.timed_out" },
        data: { idleTimeoutSeconds: number },
      })),
    );
    await record(database, 500);
    assert.deepEqual((await read(undefined, { limit: 1000 })).numbers, [...numbers, 500]);
  });

  test("an event of a transaction that is rolled back is never read", async () => {
    await assert.rejects(
      database.transaction(async (transaction) => {
        await record(transaction, 1);
        throw new Error("rolled back");
      }),
      /rolled back/,
    );
    await record(database, 2);
    assert.deepEqual((await read(undefined)).numbers, [2]);
  });

  test("an event is not read before those of older transactions that still run", async () => {
    await database.transaction(async (older) => {
      await record(older, 1);
      await record(database, 2);
      assert.deepEqual((await read(undefined)).numbers, []);
      const { next } = await read(firstPlace);
      await record(older, 3);
      assert.deepEqual((await read(next)).numbers, []);
    });
    assert.deepEqual((await read(undefined)).numbers, [1, 3, 2]);
  });

  test("a reader gets every event once, in one order, while others write", async () => {
    const random = createSeededRandom("events under concurrent writers");
    const writers = 8;
    const transactions = 25;
    const committed: number[] = [];
    let running = writers;

    async function write(writer: number): Promise<void> {
      for (let index = 0; index < transactions; index += 1) {
        const number = writer * 1_000 + index * 2;
        const isKept = random() < 0.8;
        const pause = sql`select pg_sleep(${random() / 125})`;
        await database
          .transaction(async (transaction) => {
            await transaction.execute(pause);
            await record(transaction, number);
            await transaction.execute(pause);
            await record(transaction, number + 1);
            if (!isKept) throw new Error("rolled back");
          })
          .catch(() => undefined);
        if (isKept) committed.push(number, number + 1);
      }
      running -= 1;
    }

    const read7 = async (from: EventPlace) => read(from, { limit: 7 });
    async function follow(): Promise<number[]> {
      const numbers: number[] = [];
      for (let place = firstPlace, isLast = false; ; ) {
        const wasLast = isLast;
        isLast = running === 0;
        const page = await read7(place);
        numbers.push(...page.numbers);
        place = page.next;
        if (wasLast && !page.hasMore) return numbers;
      }
    }

    const writing = Array.from({ length: writers }, (_, writer) => write(writer));
    const followed = await Promise.all([follow(), follow(), ...writing]);
    const [one, other] = followed;
    assert.ok(committed.length > 200);
    assert.deepEqual(one?.toSorted(), committed.toSorted());
    assert.deepEqual(other, one);
    assert.deepEqual((await read(undefined, { limit: 1000 })).numbers, one);
  });

  test("pages join in both orders, and the last one states it", async () => {
    for (let number = 1; number <= 5; number += 1) await record(database, number);
    const first = await read(undefined, { limit: 3 });
    assert.deepEqual([first.numbers, first.hasMore], [[1, 2, 3], true]);
    const second = await read(first.next, { limit: 3 });
    assert.deepEqual([second.numbers, second.hasMore], [[4, 5], false]);
    await record(database, 6);
    assert.deepEqual((await read(second.next)).numbers, [6]);
    const newest = await read(undefined, { order: "desc", limit: 4 });
    assert.deepEqual([newest.numbers, newest.hasMore], [[6, 5, 4, 3], true]);
    const oldest = await read(newest.next, { order: "desc", limit: 4 });
    assert.deepEqual([oldest.numbers, oldest.hasMore], [[2, 1], false]);
  });

  test("filters choose by sandbox, type and time, of one's own org alone", async () => {
    const foreign = await ensureOrg(database, "foreign");
    await recordEvent(database, { orgId: foreign, sandboxId, type: "sandbox.ready", data: {} });
    await recordEvent(database, { orgId, sandboxId: null, type: "sandbox.ready", data: {} });
    await record(database, 1);
    await record(database, 2);
    const hour = 3_600_000;
    const hourAgo = new Date(Date.now() - hour);
    await database
      .update(eventTable)
      .set({ time: new Date(Date.now() - 2 * hour) })
      .where(sql`data->>'idleTimeoutSeconds' = '1'`);
    assert.deepEqual((await read(undefined)).numbers, [-1, 1, 2]);
    assert.deepEqual((await read(undefined, { sandboxId })).numbers, [1, 2]);
    assert.deepEqual((await read(undefined, { types: ["sandbox.ready"] })).numbers, [-1]);
    assert.deepEqual((await read(undefined, { since: hourAgo })).numbers, [-1, 2]);
    assert.deepEqual((await read(undefined, { until: hourAgo })).numbers, [1]);
  });

  test("old events are deleted, and the oldest of an org that has too many", async () => {
    const foreign = await ensureOrg(database, "foreign");
    for (let number = 1; number <= 6; number += 1) await record(database, number);
    await recordEvent(database, { orgId: foreign, sandboxId, type: "sandbox.ready", data: {} });
    const { deleteExpired } = createEventMaintenance(database, {
      ...{ eventsDaysMax: 2, eventsPerOrgMax: 3 },
    });
    const dayAgo = (days: number) => new Date(Date.now() - days * 24 * 3_600_000);
    await database
      .update(eventTable)
      .set({ time: dayAgo(1) })
      .where(eq(eventTable.orgId, foreign));
    await deleteExpired();
    assert.deepEqual((await read(undefined)).numbers, [4, 5, 6]);
    assert.equal(await database.$count(eventTable, eq(eventTable.orgId, foreign)), 1);
    await database.update(eventTable).set({ time: dayAgo(3) });
    await record(database, 7);
    await deleteExpired();
    assert.deepEqual((await read(undefined)).numbers, [7]);
    assert.equal(await database.$count(eventTable), 1);
  });

  test("events that a dump brings from a busier server precede new ones, and cursors of there go on", async () => {
    for (let number = 1; number <= 3; number += 1) await record(database, number);
    const there = sql`(transaction_id::text::numeric + 1000000)::text::xid8`;
    await database.update(eventTable).set({ transactionId: there });
    assert.deepEqual((await read(undefined)).numbers, [], "they look as if they were under way");
    await createEventMaintenance(database, {
      ...{ eventsDaysMax: 30, eventsPerOrgMax: 100 },
    }).placeLoaded();
    await record(database, 4);
    const { events } = await read(undefined);
    assert.deepEqual((await read(undefined)).numbers, [1, 2, 3, 4]);
    const second = BigInt(events[1]?.cursor.split("-")[1] ?? "0");
    const cursorOfThere = { transactionId: 1_000_000_000n, sequence: second };
    assert.deepEqual((await read(cursorOfThere)).numbers, [3, 4]);
  });
});
