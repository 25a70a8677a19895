import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import type { ReceivedEvent } from "@opencomputer/protocol/api";
import type { ConnectionOptions } from "./connection.ts";
import { Events } from "./events.ts";
import { Sandbox } from "./sandbox/sandbox.ts";
import { type ContractServer, startContractServer } from "./testing/start-contract-server.ts";

const sandboxId = "sb-aaaaaaaaaaaaaaaaaaaa";

describe("Events", () => {
  let server: ContractServer;
  let connection: ConnectionOptions;
  before(async () => {
    server = await startContractServer();
    connection = { apiKey: server.apiKey, apiUrl: server.url };
  });
  beforeEach(() => {
    server.requests.length = 0;
  });
  after(() => server.close());

  const addWoken = () => server.events.add(sandboxId, { type: "sandbox.woken", data: {} });
  /** The events of a stream until there are as many, and what happens after each. */
  async function take(
    count: number,
    stream: AsyncIterable<ReceivedEvent>,
    onEvent: (events: readonly ReceivedEvent[]) => void = () => undefined,
  ): Promise<ReceivedEvent[]> {
    const events: ReceivedEvent[] = [];
    for await (const event of stream) {
      events.push(event);
      onEvent(events);
      if (events.length === count) break;
    }
    return events;
  }
  /** Calls back once, after the next stream was asked for. */
  function whenStreaming(then: () => void): void {
    let isWaiting = true;
    server.watch((line) => {
      if (!isWaiting || !line.includes("/events?") || line.includes("limit=")) return;
      isWaiting = false;
      setImmediate(then);
    });
  }

  test("list chooses by sandbox, type, place, order and time", async () => {
    const sandbox = await Sandbox.create(connection);
    await sandbox.kill();
    const all = await Events.list({ ...connection, sandboxId: sandbox.id });
    assert.deepEqual(
      all.events.map(({ type }) => type),
      ["sandbox.created", "sandbox.ready", "sandbox.killed"],
    );
    const options = { ...connection, sandboxId: sandbox.id, order: "desc", limit: 1 } as const;
    const [last] = (await Events.list(options)).events;
    assert.ok(last?.type === "sandbox.killed");
    assert.equal(last.data.reason, "requested");
    const types = ["sandbox.ready", "sandbox.killed"] as const;
    const chosen = await Events.list({ ...connection, types, cursor: all.events[1]?.cursor });
    assert.deepEqual(chosen.events, [last]);
    const until = new Date(0);
    assert.deepEqual((await Events.list({ ...connection, until })).events, []);
  });

  test("follow has what happens from now on, and ends with its loop", async () => {
    addWoken();
    let added = "";
    whenStreaming(() => {
      added = addWoken().id;
    });
    const events = await take(1, Events.follow(connection));
    assert.deepEqual(
      events.map(({ id }) => id),
      [added],
    );
  });

  test("follow continues after the last event when its connection ends", async () => {
    const cursor = addWoken().cursor;
    const expected = [addWoken(), addWoken(), addWoken()].map(({ id }) => id);
    const events = await take(5, Events.follow({ ...connection, cursor }), ({ length }) => {
      if (length !== 3) return;
      server.events.dropStreams();
      expected.push(addWoken().id, addWoken().id);
    });
    assert.deepEqual(
      events.map(({ id }) => id),
      expected,
    );
    assert.equal(server.requests.length, 2);
  });

  test("follow tries again while the service is away, and not when it is refused", async () => {
    const cursor = addWoken().cursor;
    addWoken();
    let attempts = 0;
    const stream = Events.follow({ ...connection, cursor });
    const events = await take(2, stream, ({ length }) => {
      if (length !== 1) return;
      for (let index = 0; index < 2; index += 1) {
        server.interceptNext((request) => {
          attempts += 1;
          request.socket.destroy();
        });
      }
      server.events.dropStreams();
      setTimeout(addWoken, 10);
    });
    assert.deepEqual([events.length, attempts], [2, 2]);

    const refused = Events.follow({ ...connection, cursor });
    await refused.next();
    server.interceptNext((_, response) =>
      response.writeHead(403).end('{"error":"invalid API key","code":"invalid_api_key"}'),
    );
    server.events.dropStreams();
    await assert.rejects(
      (async () => {
        for await (const _ of refused);
      })(),
      { code: "invalid_api_key", status: 403 },
    );
  });

  test("follow rejects when its first connection fails, and with the reason of its signal", async () => {
    const nowhere = { apiKey: server.apiKey, apiUrl: "http://127.0.0.1:1" };
    await assert.rejects(Events.follow({ ...nowhere, cursor: "0-0" }).next(), {
      code: "connection_failed",
    });
    const abort = new AbortController();
    const reason = new Error("enough");
    whenStreaming(() => abort.abort(reason));
    const cursor = addWoken().cursor;
    await assert.rejects(
      Events.follow({ ...connection, cursor, signal: abort.signal }).next(),
      reason,
    );
  });

  test("an event of a newer service is unknown, with its own type within", async () => {
    const known = (await Events.list({ ...connection, limit: 1 })).events[0];
    assert.ok(known !== undefined);
    server.interceptNext((_, response) => {
      const newer = { ...known, type: "sandbox.painted", data: { colour: "red" } };
      response.writeHead(200, { "content-type": "application/json" });
      response.end(JSON.stringify({ events: [newer, known], cursor: "1-1", hasMore: false }));
    });
    const { events } = await Events.list(connection);
    assert.deepEqual(
      events.map(({ type }) => type),
      ["unknown", known.type],
    );
    assert.deepEqual(events[0]?.data, { type: "sandbox.painted", data: { colour: "red" } });
  });
});
