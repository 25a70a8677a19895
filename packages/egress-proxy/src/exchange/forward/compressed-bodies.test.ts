import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import {
  brotliCompressSync,
  deflateRawSync,
  deflateSync,
  gzipSync,
  zstdCompressSync,
} from "node:zlib";
import type { AuditLine } from "@opencomputer/protocol/wire";
import { bodyRecordingUpstream, type RecordedBody } from "../../testing/body-recording-upstream.ts";
import {
  type ExchangeFixtureOptions,
  readUntil,
  startExchange,
} from "../../testing/http-exchange-fixture.ts";
import { policyOf, secretOf, tokenOf } from "../../testing/http-policy.ts";
import { splitAtRandom } from "../../testing/http-split.ts";
import { createSeededRandom } from "../../testing/seeded-random.ts";

const value = "sk-Q7v2mX9Lp4ZtW8cKdR3";
const token = tokenOf("a");
const inBodies = policyOf([secretOf("KEY", "a", value)]);
const inHeaders = policyOf([secretOf("KEY", "a", value, [], ["header"])]);
const inMember = policyOf([secretOf("KEY", "a", value, [], ["body:/auth/key"])]);
const withheld = [{ name: "KEY", place: "body" }];

const codings: readonly (readonly [string, (text: Buffer) => Buffer])[] = [
  ["gzip", (text) => gzipSync(text)],
  ["x-gzip", (text) => gzipSync(text)],
  ["deflate", (text) => deflateSync(text)],
  ["deflate", (text) => deflateRawSync(text)],
  ["br", (text) => brotliCompressSync(text)],
  ["zstd", (text) => zstdCompressSync(text)],
  ["gzip, zstd", (text) => zstdCompressSync(gzipSync(text))],
];

interface Outcome {
  readonly received: string;
  readonly request: RecordedBody;
  readonly line: AuditLine;
}

interface Sent {
  readonly coding: string;
  readonly body: Buffer;
  readonly type?: string;
  /** Whether the body arrives in chunks of this many bytes. */
  readonly chunkBytes?: number;
}

function bytesOf({ coding, body, type = "application/json", chunkBytes }: Sent): Buffer {
  const fields = `Host: api.example.com\r\nConnection: close\r\nContent-Type: ${type}\r\nContent-Encoding: ${coding}\r\n`;
  if (chunkBytes === undefined) {
    const head = `POST / HTTP/1.1\r\n${fields}Content-Length: ${body.length}\r\n\r\n`;
    return Buffer.concat([Buffer.from(head), body]);
  }
  const parts: Buffer[] = [
    Buffer.from(`POST / HTTP/1.1\r\n${fields}Transfer-Encoding: chunked\r\n\r\n`),
  ];
  for (let at = 0; at < body.length; at += chunkBytes) {
    const chunk = body.subarray(at, at + chunkBytes);
    parts.push(Buffer.from(`${chunk.length.toString(16)}\r\n`), chunk, Buffer.from("\r\n"));
  }
  return Buffer.concat([...parts, Buffer.from("0\r\n\r\n")]);
}

async function send(
  t: TestContext,
  sent: Sent,
  options: ExchangeFixtureOptions = {},
): Promise<Outcome> {
  const upstream = bodyRecordingUpstream();
  const exchange = await startExchange({
    policy: inBodies,
    upstream: upstream.listener,
    ...options,
  });
  t.after(() => exchange.close());
  const received = await exchange.send(bytesOf(sent));
  const [request] = upstream.requests;
  const [line] = exchange.audits;
  if (request === undefined || line === undefined) throw new Error(`Nothing was sent: ${received}`);
  return { received, request, line };
}

function assertUnchanged({ request }: Outcome, { coding, body, chunkBytes }: Sent): void {
  assert.ok(request.body.equals(body), "the body has its bytes");
  assert.equal(request.headers["content-encoding"], coding);
  const length = chunkBytes === undefined ? String(body.length) : undefined;
  assert.equal(request.headers["content-length"], length);
}

const json = `{"auth":{"key":"${token}"},"text":"${"words ".repeat(500)}"}`;

describe("a compressed body in which a token may become its value", () => {
  for (const [coding, compress] of codings) {
    for (const chunkBytes of [undefined, 7]) {
      const how = `${coding}, ${chunkBytes === undefined ? "with a length" : "in chunks"}`;

      test(`${how}: is sent decoded, with the value`, async (t) => {
        for (const policy of [inBodies, inMember]) {
          const sent = { coding, body: compress(Buffer.from(json)), chunkBytes } as Sent;
          const { request, line, received } = await send(t, sent, { policy });
          const expected = json.replace(token, value);
          assert.equal(request.body.toString(), expected);
          assert.equal(request.headers["content-encoding"], undefined);
          const length = chunkBytes === undefined ? String(expected.length) : undefined;
          assert.equal(request.headers["content-length"], length);
          assert.deepEqual([line.substituted, line.withheld, line.reason], [["KEY"], [], null]);
          assert.doesNotMatch(received, /OpenComputer-Egress/);
        }
      });

      test(`${how}: passes as it came, when no token becomes a value`, async (t) => {
        const none = { coding, body: compress(Buffer.from("{}")), chunkBytes } as Sent;
        const outcome = await send(t, none);
        assertUnchanged(outcome, none);
        assert.deepEqual([outcome.line.substituted, outcome.line.withheld], [[], []]);
        const elsewhere = `{"auth":{"other":"${token}"}}`;
        const other = { coding, body: compress(Buffer.from(elsewhere)), chunkBytes } as Sent;
        const kept = await send(t, other, { policy: inMember });
        assertUnchanged(kept, other);
        assert.deepEqual([kept.line.substituted, kept.line.withheld], [[], withheld]);
      });
    }
  }

  test("escapes the value as the type requires", async (t) => {
    const policy = policyOf([secretOf("KEY", "a", "line one\nline two & more of it")]);
    const form = gzipSync(`key=${token}`);
    const type = "application/x-www-form-urlencoded";
    const { request } = await send(t, { coding: "gzip", body: form, type }, { policy });
    assert.equal(request.body.toString(), "key=line%20one%0Aline%20two%20%26%20more%20of%20it");
  });

  const options = { measuredTextBytesMax: 2000, searchedDecodedBytesMax: 100_000 };
  const long = `${"x".repeat(5000)}${token}`;
  for (const chunkBytes of [undefined, 10]) {
    const how = chunkBytes === undefined ? "with a length" : "in chunks";

    test(`${how}: passes as it came when it decodes to more than is collected`, async (t) => {
      const sent = { coding: "gzip", body: gzipSync(long), chunkBytes } as Sent;
      const outcome = await send(t, sent, { options });
      assertUnchanged(outcome, sent);
      assert.deepEqual([outcome.line.substituted, outcome.line.withheld], [[], withheld]);
      assert.match(outcome.received, /\r\nOpenComputer-Egress: withheld=KEY \(body\)\r\n/);
      assert.equal(outcome.line.reason, null);
    });

    test(`${how}: passes as it came when it is longer than is collected`, async (t) => {
      const noise = createSeededRandom(5).bytes(4000);
      const body = gzipSync(Buffer.concat([noise, Buffer.from(token)]));
      const sent = { coding: "gzip", body, chunkBytes } as Sent;
      const outcome = await send(t, sent, { options });
      assertUnchanged(outcome, sent);
      assert.deepEqual([outcome.line.substituted, outcome.line.withheld], [[], withheld]);
    });

    test(`${how}: of a bomb only the beginning is searched, and the audit states it`, async (t) => {
      const body = gzipSync(Buffer.concat([Buffer.alloc(500_000), Buffer.from(token)]));
      const sent = { coding: "gzip", body, chunkBytes } as Sent;
      const outcome = await send(t, sent, { options });
      assertUnchanged(outcome, sent);
      assert.deepEqual(outcome.line.withheld, []);
      assert.match(outcome.line.reason ?? "", /^only the first 100000 bytes of the compressed/);
    });

    test(`${how}: passes as it came when the sandbox's budget is used up`, async (t) => {
      const sent = { coding: "gzip", body: gzipSync(json), chunkBytes } as Sent;
      const none = await send(t, sent, { budgetBytes: 0 });
      assertUnchanged(none, sent);
      assert.match(none.line.reason ?? "", /too many bodies under way/);
      const some = await send(t, sent, { budgetBytes: 64 * 1024 });
      assertUnchanged(some, sent);
      assert.deepEqual([some.line.withheld, some.line.reason], [withheld, null]);
    });
  }

  test("from a guest that waits to be asked for it", async (t) => {
    const upstream = bodyRecordingUpstream();
    const exchange = await startExchange({ policy: inBodies, upstream: upstream.listener });
    t.after(() => exchange.close());
    const guest = exchange.connect();
    const bytes = bytesOf({ coding: "gzip", body: gzipSync(json) });
    const bodyAt = bytes.indexOf("\r\n\r\n") + 2;
    guest.write(
      Buffer.concat([bytes.subarray(0, bodyAt), Buffer.from("Expect: 100-continue\r\n\r\n")]),
    );
    await readUntil(guest, (text) => text === "HTTP/1.1 100 Continue\r\n\r\n");
    guest.write(bytes.subarray(bodyAt + 2));
    await readUntil(guest, (text) => text.startsWith("HTTP/1.1 200 "));
    assert.equal(upstream.requests[0]?.body.toString(), json.replace(token, value));
    guest.destroy();
  });
});

describe("a compressed body passes as it came, and its tokens are named", () => {
  for (const [coding, compress] of codings) {
    test(`${coding}: where no token may become its value in a body`, async (t) => {
      for (const chunkBytes of [undefined, 7]) {
        const sent = { coding, body: compress(Buffer.from(json)), chunkBytes } as Sent;
        const outcome = await send(t, sent, { policy: inHeaders });
        assertUnchanged(outcome, sent);
        assert.deepEqual([outcome.line.substituted, outcome.line.withheld], [[], withheld]);
        assert.match(outcome.received, /\r\nOpenComputer-Egress: withheld=KEY \(body\)\r\n/);
      }
    });

    test(`${coding}: when it does not decode, and the audit states it`, async (t) => {
      const compressed = compress(Buffer.from(json));
      const cut = compressed.subarray(0, -3);
      const bodies = [
        Buffer.from(json),
        cut,
        Buffer.concat([compressed, Buffer.from(`and ${token}`)]),
      ];
      for (const policy of [inBodies, inHeaders]) {
        for (const body of bodies) {
          const sent = { coding, body };
          const outcome = await send(t, sent, { policy });
          assertUnchanged(outcome, sent);
          assert.deepEqual(outcome.line.substituted, []);
          // A block of zstd that is cut short decodes to nothing.
          if (body !== cut || !coding.endsWith("zstd")) {
            assert.deepEqual(outcome.line.withheld, withheld);
          }
          assert.match(outcome.line.reason ?? "", /^the request body is not valid \w+, which its/);
        }
      }
    });
  }

  test("in a coding that cannot be undone, and the audit states it", async (t) => {
    for (const coding of ["made-up", "compress", "gzip, gzip, gzip, gzip"]) {
      const sent = { coding, body: Buffer.from(json) };
      const outcome = await send(t, sent);
      assertUnchanged(outcome, sent);
      assert.deepEqual([outcome.line.substituted, outcome.line.withheld], [[], withheld]);
      assert.match(outcome.line.reason ?? "", /content coding that cannot be undone/);
    }
  });

  test("in chunks of its own, which state their lengths", async (t) => {
    const sent = { coding: "aws-chunked", body: Buffer.from(`2b\r\n${token}\r\n0\r\n\r\n`) };
    const outcome = await send(t, sent);
    assertUnchanged(outcome, sent);
    assert.deepEqual([outcome.line.substituted, outcome.line.withheld], [[], withheld]);
  });

  test("but a label that names no compression changes nothing", async (t) => {
    const { request, line } = await send(t, { coding: "utf-8", body: Buffer.from(json) });
    assert.equal(request.body.toString(), json.replace(token, value));
    assert.deepEqual(line.substituted, ["KEY"]);
  });

  test("without secrets in the sandbox nothing is decoded", async (t) => {
    const sent = { coding: "gzip", body: Buffer.from("no gzip at all") };
    const outcome = await send(t, sent, { policy: policyOf([]) });
    assertUnchanged(outcome, sent);
    assert.equal(outcome.line.reason, null);
  });
});

describe("a compressed body that breaks off", () => {
  for (const policy of [inBodies, inHeaders]) {
    const where = policy === inBodies ? "is collected" : "is passed on";

    test(`as it ${where}: the guest's end is audited, and its budget given back`, async (t) => {
      const upstream = bodyRecordingUpstream();
      const exchange = await startExchange({
        policy,
        upstream: upstream.listener,
        budgetBytes: 80_000,
      });
      t.after(() => exchange.close());
      const bytes = bytesOf({ coding: "gzip", body: gzipSync(json) });
      const guest = exchange.connect();
      guest.write(bytes.subarray(0, -10));
      await new Promise((resolve) => setTimeout(resolve, 50));
      guest.resetAndDestroy();
      const [line] = await exchange.audited(1);
      assert.match(line?.reason ?? "", /the guest closed the connection/);
      await exchange.send(bytes);
      const received = upstream.requests.at(-1)?.headers["content-encoding"];
      assert.equal(received, policy === inBodies ? undefined : "gzip");
    });
  }
});

test("fuzz: what the upstream gets is the body as it came, or decoded with values for tokens", async (t) => {
  const random = createSeededRandom(61);
  const upstream = bodyRecordingUpstream();
  const options = { measuredTextBytesMax: 3000, searchedDecodedBytesMax: 6000 };
  const exchange = await startExchange({ policy: inBodies, upstream: upstream.listener, options });
  t.after(() => exchange.close());
  let decoded = 0;
  for (let round = 0; round < 200; round += 1) {
    const [coding, compress] = random.pick(codings);
    const pieces = Array.from({ length: random.below(8) }, () =>
      random.pick([token, token.slice(0, 20), "x".repeat(random.below(900)), "\n"]),
    );
    const text = pieces.join("");
    const body = Buffer.from(compress(Buffer.from(text)));
    const isDamaged = random.below(4) === 0;
    if (isDamaged) body[random.below(body.length)] = random.below(256);
    const chunkBytes = random.below(2) === 0 ? undefined : 1 + random.below(50);
    const sent = { coding, body, chunkBytes, type: "text/plain" } as Sent;
    const guest = exchange.connect();
    guest.resume();
    for (const part of splitAtRandom(bytesOf(sent), 1 + random.below(3000), random)) {
      guest.write(part);
      if (random.below(3) === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await exchange.audited(round + 1);
    guest.destroy();
    const request = upstream.requests[round];
    assert.ok(request !== undefined, `round ${round} was not sent`);
    if (request.headers["content-encoding"] === coding) {
      assert.ok(request.body.equals(body), `round ${round}`);
      assert.ok(isDamaged || text.length > 3000 || !text.includes(token), `round ${round}`);
    } else {
      decoded += 1;
      assert.ok(request.body.includes(value), `round ${round}`);
      if (!isDamaged) assert.equal(request.body.toString(), text.replaceAll(token, value));
    }
  }
  assert.ok(decoded > 40, String(decoded));
});
