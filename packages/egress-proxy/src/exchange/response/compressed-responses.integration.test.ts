import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import {
  brotliCompressSync,
  deflateRawSync,
  deflateSync,
  gunzipSync,
  gzipSync,
  zstdCompressSync,
} from "node:zlib";
import {
  type ExchangeFixture,
  type ExchangeFixtureOptions,
  readUntil,
  startExchange,
} from "../../testing/http-exchange-fixture.ts";
import { policyOf, secretOf, tokenOf } from "../../testing/http-policy.ts";
import { inChunks, rawUpstream, withLength } from "../../testing/http-raw-upstream.ts";
import { readChunked, splitResponse } from "../../testing/http-response-text.ts";
import { createSeededRandom } from "../../testing/seeded-random.ts";

const value = "sk-Q7v2mX9Lp4ZtW8cKdR3";
const wrong = "sk-Q7v2mX9Lp4ZtW8cKdRx";
const token = tokenOf("a");
const policy = policyOf([secretOf("KEY", "a", value)]);
const get = "GET / HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n\r\n";
const mebibyte = 1024 * 1024;

async function start(t: TestContext, options: ExchangeFixtureOptions): Promise<ExchangeFixture> {
  const exchange = await startExchange({ policy, ...options });
  t.after(() => exchange.close());
  return exchange;
}

function segmentsOf(bytes: Buffer, segmentBytes = 1460): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / segmentBytes) }, (_, at) =>
    bytes.subarray(at * segmentBytes, (at + 1) * segmentBytes),
  );
}

function noise(length: number): Buffer {
  return createSeededRandom(length).bytes(length);
}

function contains(received: string, text: string): boolean {
  return (
    received.includes(text) || received.includes(Buffer.from(text).toString("base64").slice(2, -4))
  );
}

describe("a response that states its content coding", () => {
  const codings: [string, (text: Buffer) => Buffer][] = [
    ["gzip", gzipSync],
    ["x-gzip", gzipSync],
    ["deflate", deflateSync],
    ["deflate", deflateRawSync],
    ["br", brotliCompressSync],
    ["zstd", zstdCompressSync],
    [
      "deflate, gzip",
      function twice(text) {
        return gzipSync(deflateSync(text));
      },
    ],
  ];
  for (const [coding, compress] of codings) {
    const page = (guess: string) => {
      const text = `<p>key=${guess}</p>`;
      return Buffer.concat([Buffer.from(text), Buffer.alloc(60_000 - text.length, "page ")]);
    };
    const whole = (guess: string) => compress(Buffer.concat([noise(20_000), page(guess)]));

    test(`${coding} (${compress.name}): the guest receives the same for every guess, wherever segments end`, async (t) => {
      const received: string[] = [];
      for (const guess of ["sk-Q7v2mX9Lp4ZtW8cKdR4", wrong, "xx-0000000000000000000"]) {
        const body = whole(guess);
        const exchange = await start(
          t,
          rawUpstream([
            `HTTP/1.1 200 OK\r\nContent-Encoding: ${coding}\r\nContent-Length: ${body.length}\r\n\r\n`,
            ...segmentsOf(body),
          ]),
        );
        received.push((await exchange.send(get)).replace(guess, "GUESS"));
        assert.deepEqual(exchange.audits[0]?.redacted, []);
      }
      assert.equal(new Set(received).size, 1);
      assert.match(received[0] ?? "", /\r\nContent-Length: 80000\r\n/);
    });

    test(`${coding} (${compress.name}): a complete value becomes its token`, async (t) => {
      const body = whole(value);
      const exchange = await start(
        t,
        rawUpstream([withLength(body, `Content-Encoding: ${coding}\r\n`)]),
      );
      const received = await exchange.send(get);
      assert.ok(received.includes(`<p>key=${token}</p>`));
      assert.ok(!contains(received, value));
      assert.doesNotMatch(received, /content-encoding/i);
      assert.deepEqual(exchange.audits[0]?.redacted, ["KEY"]);
    });
  }

  test("nothing of a decoded body is sent before a part of fixed length is complete", async (t) => {
    const compressed = gzipSync(Buffer.alloc(mebibyte - 1, "x"), { level: 0 });
    const exchange = await start(t, {
      raw: (socket) => {
        socket.once("data", () => {
          socket.write(
            `HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: ${compressed.length}\r\n\r\n`,
          );
          socket.write(compressed.subarray(0, -1));
          setTimeout(() => socket.write(compressed.subarray(-1)), 100);
        });
      },
    });
    const guest = exchange.connect();
    let early = true;
    setTimeout(() => {
      early = false;
    }, 90);
    guest.write(get);
    await readUntil(guest, (text) => text.length > 0);
    assert.equal(early, false);
    guest.destroy();
  });

  test("a value across two parts of a long body becomes its token", async (t) => {
    const body = Buffer.alloc(3 * mebibyte, "x");
    body.write(value, mebibyte - 7);
    body.write(value, 2 * mebibyte - 1);
    const exchange = await start(
      t,
      rawUpstream([withLength(gzipSync(body), "Content-Encoding: gzip\r\n")]),
    );
    const { data } = readChunked(splitResponse(await exchange.send(get)).body);
    assert.ok(!data.includes(value));
    assert.equal(data.split(token).length, 3);
    assert.equal(data.length, body.length + 2 * (token.length - value.length));
  });

  for (const coding of [value, `gzip, ${value}`, "gzip, made-up", "made-up"]) {
    test(`${coding === value ? "a value as coding" : coding.replace(value, "a value")} is refused and not quoted`, async (t) => {
      const exchange = await start(
        t,
        rawUpstream([withLength("whatever", `Content-Encoding: ${coding}\r\n`)]),
      );
      const received = await exchange.send(get);
      assert.match(received, /^HTTP\/1\.1 502 .*"code":"content_coding_not_supported"/s);
      const everything = received + JSON.stringify(exchange.audits);
      for (const member of coding.split(", ")) {
        if (member !== "gzip") assert.ok(!everything.includes(member), everything);
      }
    });
  }

  test("what follows the compressed data is not passed on", async (t) => {
    const body = Buffer.concat([gzipSync("page"), Buffer.from("trailing garbage")]);
    const exchange = await start(t, rawUpstream([withLength(body, "Content-Encoding: gzip\r\n")]));
    assert.match(await exchange.send(get), /^HTTP\/1\.1 502 .*"code":"content_coding_invalid"/s);
  });
});

describe("compressed data that states no coding", () => {
  const lengths = { "a short archive": 30_000, "a long archive": 3 * mebibyte };
  for (const [name, length] of Object.entries(lengths)) {
    const archive = gzipSync(noise(length));

    test(`${name} passes with its bytes and its Content-Length`, async (t) => {
      const exchange = await start(
        t,
        rawUpstream([withLength(archive, "Content-Type: application/gzip\r\n")]),
      );
      const { head, body } = splitResponse(await exchange.send(get));
      assert.match(head, new RegExp(`\r\nContent-Length: ${archive.length}\r\n`));
      assert.ok(Buffer.from(body, "latin1").equals(archive));
      assert.deepEqual(exchange.audits[0]?.redacted, []);
    });

    test(`${name} passes in chunks, and padded with zeros`, async (t) => {
      const padded = Buffer.concat([archive, Buffer.alloc(512)]);
      const exchange = await start(t, rawUpstream(inChunks(segmentsOf(padded, 50_000))));
      const { data } = readChunked(splitResponse(await exchange.send(get)).body);
      assert.ok(Buffer.from(data, "latin1").equals(padded));
    });

    test(`${name} that is truncated, like the first part of a download, passes`, async (t) => {
      const part = archive.subarray(0, -1000);
      const exchange = await start(t, rawUpstream([withLength(part)]));
      const { body } = splitResponse(await exchange.send(get));
      assert.ok(Buffer.from(body, "latin1").equals(part));
    });

    for (const place of ["beginning", "middle", "end"]) {
      test(`${name} with a value at its ${place} is refused`, async (t) => {
        const content = noise(length);
        const at = { beginning: 0, middle: length >> 1, end: length - value.length }[place] ?? 0;
        content.write(value, at, "latin1");
        const body = gzipSync(content);
        const exchange = await start(t, rawUpstream([withLength(body)]));
        const received = await exchange.send(get);
        if (length < mebibyte) {
          assert.match(received, /^HTTP\/1\.1 502 .*"code":"value_in_compressed_body"/s);
        } else {
          assert.ok(received.length < body.length, "the body passed whole");
        }
        assert.ok(!decodable(received).includes(value));
        assert.deepEqual(exchange.audits[0]?.redacted, ["KEY"]);
        assert.match(exchange.audits[0]?.reason ?? "", /holds the value of a secret/);
      });
    }
  }

  const second = gzipSync(`second ${value}`);
  const withValue = gzipSync(`first ${value}`);
  const hidden: [string, Buffer][] = [
    ["in a second member", Buffer.concat([gzipSync("first"), second])],
    ["in a second member after zeros", Buffer.concat([gzipSync("first"), Buffer.alloc(9), second])],
    ["before garbage", Buffer.concat([withValue, Buffer.from("garbage")])],
    ["before damage", Buffer.concat([withValue.subarray(0, -8), Buffer.alloc(8, 0xff)])],
    ["as garbage after the end", Buffer.concat([gzipSync("first"), Buffer.from(value)])],
    ["in what is cut short", withValue.subarray(0, -5)],
  ];
  for (const [name, body] of hidden) {
    for (const segmentBytes of [1, 7, body.length]) {
      test(`a value ${name} does not pass, in segments of ${segmentBytes}`, async (t) => {
        const exchange = await start(t, rawUpstream(inChunks(segmentsOf(body, segmentBytes))));
        const received = await exchange.send(get);
        assert.ok(!received.includes(body.toString("latin1")), "the body passed whole");
        assert.ok(!received.includes(value));
        assert.match(exchange.audits[0]?.reason ?? "", /compressed data that/);
      });
    }
  }

  test("endless data that decodes to nothing does not accumulate in memory", async (t) => {
    const emptyBlocks = Buffer.alloc(5 * 100_000, Buffer.from([0x00, 0x00, 0x00, 0xff, 0xff]));
    const header = Buffer.from([0x1f, 0x8b, 0x08, 0, 0, 0, 0, 0, 0, 0xff]);
    const exchange = await start(
      t,
      rawUpstream(inChunks([header, ...Array.from({ length: 20 }, () => emptyBlocks)])),
    );
    assert.match(await exchange.send(get), /^HTTP\/1\.1 502 .*"code":"content_coding_invalid"/s);
  });

  test("a text that begins like gzip is searched as a text", async (t) => {
    const text = `\x1f\x8b no archive: ${value}`;
    const exchange = await start(t, rawUpstream([withLength(text)]));
    const { body } = splitResponse(await exchange.send(get));
    assert.equal(body, `\x1f\x8b no archive: ${token}`);
  });

  test("without secrets anything passes", async (t) => {
    const exchange = await start(t, {
      policy: policyOf([]),
      ...rawUpstream([withLength(withValue)]),
    });
    const { body } = splitResponse(await exchange.send(get));
    assert.ok(Buffer.from(body, "latin1").equals(withValue));
  });
});

/** What the beginning of a gzip body reads as, as far as it goes. */
function decodable(received: string): string {
  const { body } = splitResponse(received);
  try {
    return gunzipSync(Buffer.from(body, "latin1"), { finishFlush: 2 }).toString("latin1");
  } catch {
    // It is a refusal in JSON, and no gzip.
    return body;
  }
}
