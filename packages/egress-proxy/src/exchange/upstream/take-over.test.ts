import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import type { Socket } from "node:net";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import {
  type ExchangeFixtureOptions,
  readToEnd,
  readUntil,
  startExchange,
} from "../../testing/http-exchange-fixture.ts";
import { policyOf, secretOf } from "../../testing/http-policy.ts";

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const get = "GET / HTTP/1.1\r\nHost: api.example.com\r\n";
const policy = policyOf([secretOf("KEY", "a", "some-value")]);

async function start(t: TestContext, options: ExchangeFixtureOptions) {
  const exchange = await startExchange({ policy, ...options });
  t.after(() => exchange.close());
  return {
    exchange,
    /** One request on a connection of its own, which the guest closes when it has the response. */
    async request(text: string): Promise<string> {
      const guest = exchange.connect();
      guest.write(`${text}\r\n`);
      const response = await readUntil(guest, (received) => /ok$|}$/.test(received));
      guest.end();
      await readToEnd(guest);
      return response;
    },
  };
}

/** Responds to each request, with what it should do with the connection after it. */
function responding(then: (socket: Socket, connection: number) => void = () => undefined) {
  return {
    raw(socket: Socket, connection: number) {
      socket.on("data", () => {
        socket.write(ok);
        then(socket, connection);
      });
    },
  };
}

describe("an upstream connection that a guest's connection left", () => {
  test("is taken over by the next one of the sandbox, also where that was to be closed", async (t) => {
    const { exchange, request } = await start(t, responding());
    for (const fields of ["", "Connection: close\r\n", ""]) {
      assert.match(await request(get + fields), /^HTTP\/1\.1 200/);
    }
    assert.equal(exchange.dialled.length, 1);
    assert.deepEqual(
      exchange.audits.map(({ status }) => status),
      [200, 200, 200],
    );
  });

  test("is not taken over by one that began while it was in use", async (t) => {
    const { exchange, request } = await start(t, responding());
    const busy = exchange.connect();
    busy.write(`${get}\r\n`);
    await readUntil(busy, (received) => received.endsWith("ok"));
    await request(get);
    assert.equal(exchange.dialled.length, 2);
  });

  test("ends with the policy under which it was used", async (t) => {
    const { exchange, request } = await start(t, responding());
    await request(get);
    const next = policyOf([secretOf("KEY", "a", "some-value")]);
    exchange.policy = next;
    await request(get);
    assert.equal(exchange.dialled.length, 2);
    const guest = exchange.connect();
    guest.write(`${get}\r\n`);
    await readUntil(guest, (received) => received.endsWith("ok"));
    exchange.policy = undefined;
    guest.end();
    await readToEnd(guest);
    exchange.policy = next;
    await request(get);
    assert.equal(exchange.dialled.length, 3, "left under a policy that had ended");
  });

  test("carries no request that must not be sent twice, once it was idle", async (t) => {
    const { exchange, request } = await start(t, {
      ...responding(),
      options: { unrepeatableTakeoverSeconds: 0.02 },
    });
    const post = "POST / HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: 0\r\n";
    await request(get);
    await delay(40);
    await request(post);
    assert.equal(exchange.dialled.length, 2);
    await request(get);
    assert.equal(exchange.dialled.length, 2);
  });

  for (const [name, request, response] of [
    ["the guest authenticated it", "Authorization: Negotiate YII=\r\n", ok],
    [
      "the upstream wants to authenticate it",
      "",
      "HTTP/1.1 401 No\r\nWWW-Authenticate: NTLM\r\nContent-Length: 2\r\n\r\nok",
    ],
  ] as const) {
    test(`is closed when ${name}`, async (t) => {
      const fixture = await start(t, {
        raw: (socket) => void socket.on("data", () => socket.write(response)),
      });
      await fixture.request(get + request);
      await fixture.request(get);
      assert.equal(fixture.exchange.dialled.length, 2);
    });
  }

  test("is closed when the upstream sends something that no request asked for", async (t) => {
    const { exchange, request } = await start(
      t,
      responding((socket) => setTimeout(() => socket.write(ok.replace("200", "500")), 10)),
    );
    await request(get);
    await delay(60);
    assert.match(await request(get), /^HTTP\/1\.1 200/);
    assert.equal(exchange.dialled.length, 2);
  });

  test("is replaced by a fresh one when the upstream closes it at that moment", async (t) => {
    const { exchange, request } = await start(t, {
      raw(socket, connection) {
        let requests = 0;
        socket.on("data", () => {
          requests += 1;
          if (connection === 1 && requests === 2) socket.resetAndDestroy();
          else socket.write(ok);
        });
      },
    });
    await request(get);
    assert.match(await request(get), /^HTTP\/1\.1 200/);
    assert.equal(exchange.dialled.length, 2);
  });

  test("is closed when its last exchange was not over", async (t) => {
    const requests = new EventEmitter();
    const { exchange, request } = await start(t, {
      raw(socket, connection) {
        const response = connection === 1 ? ok.replace("Length: 2", "Length: 20") : ok;
        socket.on("data", () => {
          socket.write(response);
          requests.emit("arrived");
        });
      },
    });
    const arrived = once(requests, "arrived");
    const guest = exchange.connect();
    guest.write(`${get}\r\n`);
    await arrived;
    guest.destroy();
    await request(get);
    assert.equal(exchange.dialled.length, 2);
  });
});
