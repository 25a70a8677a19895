import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import type { SessionPolicy } from "../egress-policy/session-policy.ts";
import { createSessionPolicy } from "../egress-policy/session-policy.ts";
import { BlockScanner, type ScanWork } from "../redaction/block-scanner.ts";
import {
  type ExchangeFixture,
  type ExchangeFixtureOptions,
  startExchange,
} from "../testing/http-exchange-fixture.ts";
import { inChunks, rawUpstream, withLength } from "../testing/http-raw-upstream.ts";
import { recordingUpstream } from "../testing/http-recording-upstream.ts";
import { otherSandboxId, testSecret, testSession } from "../testing/sessions.ts";

const mebibyte = 1024 * 1024;
const secret = testSecret("a");
const host = "Host: api.example.com\r\nConnection: close\r\n";

async function start(t: TestContext, options: ExchangeFixtureOptions): Promise<ExchangeFixture> {
  const exchange = await startExchange(options);
  t.after(() => exchange.close());
  return exchange;
}

function policyWith(scanner: BlockScanner, sandboxId?: string): SessionPolicy {
  return createSessionPolicy(
    testSession({ secrets: [secret], ...(sandboxId === undefined ? {} : { sandboxId }) }),
    scanner,
  );
}

describe("a guest cannot make the search for values costly", () => {
  /** What the search for values has cost when the response has come. */
  async function workOf(t: TestContext, credentials: string, parts: Buffer[]): Promise<ScanWork> {
    const scanner = new BlockScanner();
    const exchange = await start(t, { policy: policyWith(scanner), ...rawUpstream(parts) });
    const encoded = Buffer.from(credentials).toString("base64");
    await exchange.send(`GET / HTTP/1.1\r\n${host}Authorization: Basic ${encoded}\r\n\r\n`);
    assert.deepEqual(exchange.audits[0]?.redacted, []);
    return { ...scanner.work };
  }

  const repeated = `${"A".repeat(44 * 1024)}${secret.token}`;
  /** As long, and of other characters. */
  const other = Buffer.alloc(repeated.length, "q7Z2xK9mV4tR8wLp").toString("latin1");
  const bodies: Record<string, Buffer> = {
    "base64 of the same character": Buffer.alloc(mebibyte, "QUFB"),
    "one character": Buffer.alloc(mebibyte, "A"),
    "a text": Buffer.alloc(mebibyte, "Lorem/ipsum-dolor.sit~amet_"),
    "the beginning of the value, over and over": Buffer.alloc(mebibyte, secret.value.slice(0, -1)),
  };
  const cuts: Record<string, (body: Buffer) => Buffer[]> = {
    "in one piece": (body) => [withLength(body)],
    "in chunks of 1 KiB": (body) =>
      inChunks(Array.from({ length: 256 }, (_, at) => body.subarray(at * 1024, (at + 1) * 1024))),
  };
  for (const [cutName, cut] of Object.entries(cuts)) {
    test(`${cutName}: any 1 MiB costs the same work, whatever the credentials were`, async (t) => {
      const works: ScanWork[] = [];
      for (const body of Object.values(bodies)) {
        for (const credentials of [repeated, other])
          works.push(await workOf(t, credentials, cut(body)));
      }
      const [first] = works;
      assert.ok(first !== undefined && first.blocks > 0);
      if (cutName === "in one piece") {
        for (const work of works) assert.deepEqual(work, first);
        return;
      }
      // How many arrivals the chunks make is the network's choice.
      for (const { blocks, comparedBytes } of works) {
        assert.equal(comparedBytes, first.comparedBytes);
        assert.ok(
          blocks < 3 * first.blocks && first.blocks < 3 * blocks,
          `${blocks} and ${first.blocks}`,
        );
      }
    });
  }
});

describe("a sandbox cannot change how the requests of another are sent", () => {
  test("30 stalled uploads of 1 MiB leave another sandbox's body its Content-Length", async (t) => {
    const scanner = new BlockScanner();
    const upstream = recordingUpstream();
    const exchange = await start(t, { policy: policyWith(scanner), upstream: upstream.listener });
    const stalled = Array.from({ length: 30 }, () => {
      const guest = exchange.connect();
      guest.write(
        `POST /stalled HTTP/1.1\r\n${host}Content-Length: ${mebibyte}\r\n\r\n${"x".repeat(1000)}`,
      );
      return guest;
    });
    // One that is streamed, because its sandbox has used its budget, has been seen by the upstream.
    await new Promise((resolve) => setTimeout(resolve, 50));
    const upload = `POST /own HTTP/1.1\r\n${host}Content-Type: text/plain\r\nContent-Length: 10\r\n\r\n0123456789`;
    await exchange.send(upload);
    exchange.policy = policyWith(scanner, otherSandboxId);
    await exchange.send(upload);
    const [own, others] = upstream.requests.filter(({ url }) => url === "/own");
    assert.deepEqual(
      [own?.headers["content-length"], own?.headers["transfer-encoding"]],
      [undefined, "chunked"],
    );
    assert.deepEqual(
      [others?.headers["content-length"], others?.headers["transfer-encoding"], others?.body],
      ["10", undefined, "0123456789"],
    );
    for (const guest of stalled) guest.destroy();
  });

  test("a budget is given back when an upload breaks off", async (t) => {
    const upstream = recordingUpstream();
    const exchange = await start(t, {
      policy: policyWith(new BlockScanner()),
      upstream: upstream.listener,
    });
    const stalled = Array.from({ length: 30 }, () => {
      const guest = exchange.connect();
      guest.write(`POST / HTTP/1.1\r\n${host}Content-Length: ${mebibyte}\r\n\r\nx`);
      return guest;
    });
    await new Promise((resolve) => setTimeout(resolve, 50));
    for (const guest of stalled) guest.resetAndDestroy();
    await exchange.audited(16);
    await exchange.send(`POST /own HTTP/1.1\r\n${host}Content-Length: 2\r\n\r\nok`);
    assert.equal(upstream.requests.at(-1)?.headers["content-length"], "2");
  });
});
