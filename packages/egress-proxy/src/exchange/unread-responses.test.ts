import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { type ExchangeFixtureOptions, startExchange } from "../testing/http-exchange-fixture.ts";
import { policyOf } from "../testing/http-policy.ts";

const requests = 30_000;
const host = "api.example.com";

/** Sends many requests at once and reads no response; returns how many were served. */
async function servedOf(t: TestContext, options: ExchangeFixtureOptions): Promise<number> {
  const exchange = await startExchange(options);
  t.after(() => exchange.close());
  const guest = exchange.connect();
  guest.on("error", () => guest.destroy());
  guest.pause();
  guest.write(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`.repeat(requests));
  for (let served = -1; served !== exchange.audits.length; ) {
    served = exchange.audits.length;
    await delay(300);
  }
  return exchange.audits.length;
}

describe("a guest that sends requests and reads no response", () => {
  test("is not read from any more, when they are refused", async (t) => {
    const refusing = { ...policyOf([]), refusalFor: () => "r".repeat(8000) };
    const served = await servedOf(t, { policy: refusing });
    assert.ok(served > 0 && served < requests / 4, `${served} were served`);
  });

  test("is not read from any more, when responses have no body", async (t) => {
    const served = await servedOf(t, {
      policy: policyOf([]),
      upstream: (_request, response) =>
        response.writeHead(204, { "x-long": "v".repeat(8000) }).end(),
    });
    assert.ok(served > 0 && served < requests / 4, `${served} were served`);
  });
});
