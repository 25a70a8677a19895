import assert from "node:assert/strict";
import { connect as connectHttp2 } from "node:http2";
import { describe, type TestContext, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { serviceLimits } from "@opencomputer/protocol/wire";
import { type ExchangeFixture, startExchange } from "../testing/http-exchange-fixture.ts";
import { policyOf } from "../testing/http-policy.ts";
import type { Protocol } from "../upstream/upstream-protocols.ts";

const host = "evil.example";
const refused = `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`;

async function start(t: TestContext, protocol: Protocol): Promise<ExchangeFixture> {
  const policy = policyOf([], [host]);
  const exchange = await startExchange({ policy, serverName: host, protocol });
  t.after(() => exchange.close());
  return exchange;
}

/** Resolves to the most exchanges that ended within one turn of the event loop, of so many in all. */
async function mostInOneTurn(exchange: ExchangeFixture, count: number): Promise<number> {
  let most = 0;
  for (let before = 0; before < count; ) {
    await nextTurn();
    most = Math.max(most, exchange.audits.length - before);
    before = exchange.audits.length;
  }
  assert.equal(exchange.audits[0]?.decision, "refused");
  return most;
}

describe("requests that a sandbox sends at once", () => {
  test("over HTTP/1.1, one behind the other, leave turns of the event loop to others", async (t) => {
    const exchange = await start(t, "http/1.1");
    for (let guest = 0; guest < 4; guest += 1)
      exchange.connect().resume().write(refused.repeat(200));
    const most = await mostInOneTurn(exchange, 800);
    assert.ok(most <= serviceLimits.workPerTurnMax, `${most} exchanges in one turn`);
  });

  test("are fewer in a turn where their heads are long", async (t) => {
    const exchange = await start(t, "http/1.1");
    const long = refused.replace("\r\n\r\n", `\r\nX: ${"x".repeat(60_000)}\r\n\r\n`);
    for (let guest = 0; guest < 20; guest += 1) exchange.connect().resume().write(long);
    const most = await mostInOneTurn(exchange, 20);
    assert.ok(most <= serviceLimits.workPerTurnMax / 3, `${most} exchanges in one turn`);
  });

  test("over HTTP/2, side by side, do so, too", async (t) => {
    const exchange = await start(t, "h2");
    const sessions = Array.from({ length: 2 }, () =>
      connectHttp2(`https://${host}`, { createConnection: () => exchange.connect() }),
    );
    t.after(() => {
      for (const session of sessions) session.destroy();
    });
    for (const session of sessions) {
      for (let stream = 0; stream < 100; stream += 1) session.request({ ":path": "/" }).resume();
    }
    const most = await mostInOneTurn(exchange, 200);
    assert.ok(most <= serviceLimits.workPerTurnMax, `${most} exchanges in one turn`);
  });
});
