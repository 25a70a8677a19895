import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { EgressSession } from "@opencomputer/protocol/wire";
import { createSessionPolicy } from "../egress-policy/session-policy.ts";
import { BlockScanner } from "../redaction/block-scanner.ts";
import {
  type ExchangeFixtureOptions,
  readUntil,
  startExchange,
} from "../testing/http-exchange-fixture.ts";
import { otherSandboxId, testSandboxId, testSecret, testSession } from "../testing/sessions.ts";

const scanner = new BlockScanner();
const policyOf = (changes: Partial<EgressSession>) =>
  createSessionPolicy(
    testSession({ mode: "intercepted", egressAllowlist: [], ...changes }),
    scanner,
  );
const refusing = policyOf({ mode: "allowlisted" });
const ofOther = policyOf({ sandboxId: otherSandboxId, secrets: [testSecret("a")] });
const request = "GET / HTTP/1.1\r\nHost: api.example.com\r\n";

async function start(t: TestContext, options: ExchangeFixtureOptions) {
  const exchange = await startExchange({
    upstream: (received, response) => response.end(`got ${received.headers.authorization}`),
    ...options,
  });
  t.after(() => exchange.close());
  return exchange;
}

describe("a connection whose address another sandbox has by now", () => {
  const token = testSecret("a").token;
  const next = `${request}Authorization: Bearer ${token}\r\n\r\n`;
  const cases: [string, string, ReturnType<typeof policyOf>, RegExp][] = [
    ["is not served under that one's policy", "no_session", ofOther, /"code":"no_session"/],
    [
      "is served while it is its own sandbox's, under the present policy",
      "its own",
      policyOf({ sandboxId: testSandboxId, secrets: [testSecret("a")] }),
      new RegExp(`got Bearer ${token}`),
    ],
  ];
  for (const [what, name, policy, expected] of cases) {
    test(`${what} (${name})`, async (t) => {
      const exchange = await start(t, { policy: policyOf({}) });
      const guest = exchange.connect();
      guest.write(`${request}\r\n`);
      await readUntil(guest, (text) => text.includes("got undefined"));
      exchange.policy = policy;
      guest.write(next);
      assert.match(await readUntil(guest, (text) => /\r\n\r\n.*[\dd}]/s.test(text)), expected);
      const [, line] = await exchange.audited(2);
      assert.equal(line?.sandboxId, policy.sandboxId === testSandboxId ? testSandboxId : null);
    });
  }

  test("and that was closed is not served what had arrived before", async (t) => {
    const exchange = await start(t, { policy: refusing, serverName: "never-allowed.example" });
    const guest = exchange.connect();
    guest.on("error", () => guest.destroy());
    guest.pause();
    const refused = request.replace("api.example.com", "never-allowed.example");
    guest.write(`${refused}\r\n`.repeat(30_000));
    const untilQuiet = async () => {
      for (let served = -1; served !== exchange.audits.length; ) {
        served = exchange.audits.length;
        await delay(300);
      }
      return exchange.audits.length;
    };
    const served = await untilQuiet();
    assert.ok(served > 0 && served < 30_000, `${served} were served`);
    exchange.policy = ofOther;
    guest.resetAndDestroy();
    await untilQuiet();
    assert.deepEqual(exchange.dialled, []);
    assert.deepEqual(
      exchange.audits.filter(({ sandboxId }) => sandboxId !== testSandboxId),
      [],
    );
  });
});
