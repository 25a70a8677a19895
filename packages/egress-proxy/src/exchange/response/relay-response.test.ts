import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import {
  brotliCompressSync,
  deflateRawSync,
  deflateSync,
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
import { bodyOf, readChunked } from "../../testing/http-response-text.ts";
import { createSeededRandom } from "../../testing/seeded-random.ts";

const get = "GET / HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n\r\n";
const value = 'sk-"Q7v2mX"9Lp4-ZtW8cKdR3';
const token = tokenOf("a");
const policy = policyOf([secretOf("KEY", "a", value)]);

async function start(t: TestContext, options: ExchangeFixtureOptions): Promise<ExchangeFixture> {
  const exchange = await startExchange({ policy, ...options });
  t.after(() => exchange.close());
  return exchange;
}

describe("relayResponse: redaction", () => {
  test("redacts header values, the reason and the body, and keeps an exact length", async (t) => {
    const exchange = await start(t, {
      raw: (socket) =>
        socket.once("data", () =>
          socket.write(
            `HTTP/1.1 200 ${value}\r\nX-Echo: a ${value} b\r\nContent-Length: ${value.length + 2}\r\n\r\n<${value}>`,
          ),
        ),
    });
    const received = await exchange.send(get);
    assert.equal(
      received,
      `HTTP/1.1 200 ${token}\r\nX-Echo: a ${token} b\r\nContent-Length: 45\r\nConnection: close\r\n\r\n<${token}>`,
    );
    assert.deepEqual(exchange.audits[0]?.redacted, ["KEY"]);
    assert.equal(exchange.audits[0]?.responseBytes, 45);
  });

  test("keeps a response without values unchanged", async (t) => {
    const exchange = await start(t, {
      raw: (socket) =>
        socket.once("data", () =>
          socket.write("HTTP/1.1 200 OK\r\nX-Echo: a\r\nContent-Length: 4\r\n\r\nbody"),
        ),
    });
    const received = await exchange.send(get);
    assert.equal(
      received,
      "HTTP/1.1 200 OK\r\nX-Echo: a\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody",
    );
    assert.deepEqual(exchange.audits[0]?.redacted, []);
  });

  test("redacts a value that arrives byte by byte in chunks, and in trailers", async (t) => {
    const exchange = await start(t, {
      upstream: (_request, response) => {
        response.setHeader("Trailer", "X-After");
        for (const byte of `<${value}>`) response.write(byte);
        response.addTrailers({ "X-After": value });
        response.end();
      },
    });
    const received = await exchange.send(get);
    const { data, trailers } = readChunked(bodyOf(received));
    assert.doesNotMatch(received, /Q7v2mX/);
    assert.equal(trailers, `X-After: ${token}\r\n`);
    assert.equal(data, `<${token}>`);
  });

  test("redacts echoed Basic credentials, whose base64 has the value", async (t) => {
    const exchange = await start(t, {
      upstream: (request, response) => response.end(`you are ${request.headers.authorization}`),
    });
    const credentials = Buffer.from(`user:${token}`).toString("base64");
    const received = await exchange.send(
      get.replace("\r\n\r\n", `\r\nAuthorization: Basic ${credentials}\r\n\r\n`),
    );
    assert.equal(bodyOf(received), `you are Basic dXNlcj${token}`);
  });

  test("streams a larger body in chunks, and to HTTP/1.0 up to the close", async (t) => {
    const body = `${"x".repeat(3000)}${value}${"y".repeat(3000)}`;
    const exchange = await start(t, {
      upstream: (_request, response) => response.setHeader("Content-Length", body.length).end(body),
      options: { measuredBodyBytesMax: 1000 },
    });
    const redacted = body.replace(value, token);
    const chunked = await exchange.send(get);
    assert.match(chunked, /\r\nTransfer-Encoding: chunked\r\n/);
    assert.doesNotMatch(chunked, /Content-Length/i);
    assert.equal(readChunked(bodyOf(chunked)).data, redacted);
    const old = await exchange.send(get.replace("HTTP/1.1", "HTTP/1.0"));
    assert.doesNotMatch(old, /Content-Length|Transfer-Encoding/i);
    assert.equal(bodyOf(old), redacted);
  });

  test("keeps the length of a larger body when there is nothing to redact", async (t) => {
    const body = "x".repeat(5000);
    const exchange = await start(t, {
      policy: policyOf([]),
      upstream: (_request, response) => response.setHeader("Content-Length", body.length).end(body),
      options: { measuredBodyBytesMax: 1000 },
    });
    const received = await exchange.send(get);
    assert.match(received, /\r\nContent-Length: 5000\r\n/);
    assert.equal(bodyOf(received), body);
  });

  test("passes each event of a stream at once, whatever its first bytes are", async (t) => {
    const events: (() => void)[] = [];
    const exchange = await start(t, {
      upstream: (_request, response) => {
        response.writeHead(200, { "Content-Type": "text/event-stream" });
        response.write("data: one\n\n");
        events.push(
          () => response.write("data: two\n\n"),
          () => response.end(),
        );
      },
    });
    const guest = exchange.connect();
    guest.write(get);
    await readUntil(guest, (text) => text.includes("data: one\n\n"));
    events[0]?.();
    await readUntil(guest, (text) => text.includes("data: two\n\n"));
    events[1]?.();
    await readUntil(guest, (text) => text.endsWith("0\r\n\r\n"));
  });
});

describe("relayResponse: compressed responses", () => {
  const codings: [string, (text: string) => Buffer][] = [
    ["gzip", gzipSync],
    ["x-gzip", gzipSync],
    ["deflate", deflateSync],
    ["deflate", deflateRawSync],
    ["br", brotliCompressSync],
    ["zstd", zstdCompressSync],
    ["gzip, br", (text) => brotliCompressSync(gzipSync(text))],
    ["aws-chunked,gzip", gzipSync],
  ];
  for (const [coding, compress] of codings) {
    test(`redacts in ${coding} (${compress.name}) by sending it decoded`, async (t) => {
      const exchange = await start(t, {
        upstream: (_request, response) =>
          response.writeHead(200, { "Content-Encoding": coding }).end(compress(`<${value}>`)),
      });
      const received = await exchange.send(get);
      assert.doesNotMatch(received, /Content-Encoding/i);
      assert.match(received, /\r\nContent-Length: 45\r\n/);
      assert.equal(bodyOf(received), `<${token}>`);
    });
  }

  const plainLabels = ["none", "utf-8", "UTF-8", "binary", "identity", "aws-chunked", ""];
  for (const label of plainLabels) {
    test(`redacts in a body labelled ${label || "with nothing"}, and keeps the label`, async (t) => {
      const exchange = await start(t, {
        upstream: (_request, response) =>
          response
            .writeHead(200, { "Content-Encoding": label, "Content-Length": value.length + 2 })
            .end(`<${value}>`),
      });
      const received = await exchange.send(get);
      assert.match(received, new RegExp(`^HTTP/1.1 200 OK\r\nContent-Encoding: ${label}\r\n`));
      assert.match(received, /\r\nContent-Length: 45\r\n/);
      assert.equal(bodyOf(received), `<${token}>`);
    });
  }

  const plainBodies = ["a page", '{"ok":true}', "\x03\0 as raw deflate is", "x".repeat(3_000_000)];
  for (const [coding] of codings) {
    test(`refuses a plain body that is labelled ${coding}, before anything is sent`, async (t) => {
      for (const body of plainBodies) {
        const exchange = await start(t, {
          upstream: (_request, response) =>
            response.writeHead(200, { "Content-Encoding": coding }).end(body, "latin1"),
        });
        const received = await exchange.send(get);
        assert.match(received, /^HTTP\/1\.1 502 .*"code":"content_coding_invalid"/s);
        const [line] = await exchange.audited(1);
        assert.match(line?.reason ?? "", /^api\.example\.com responded with .* not valid \w+,/);
      }
    });

    test(`passes a plain body that is labelled ${coding} when there is nothing to redact`, async (t) => {
      const exchange = await start(t, {
        policy: policyOf([]),
        upstream: (_request, response) =>
          response
            .writeHead(200, { "Content-Encoding": coding, "Content-Length": 6 })
            .end("a page"),
      });
      const received = await exchange.send(get);
      assert.match(received, new RegExp(`Content-Encoding: ${coding}\r\n`));
      assert.equal(bodyOf(received), "a page");
    });
  }

  test("names a coding that it refuses where that is a known one", async (t) => {
    const exchange = await start(t, {
      upstream: (_request, response) =>
        response.writeHead(200, { "Content-Encoding": "gzip, DCZ" }).end("whatever"),
    });
    assert.match(await exchange.send(get), /api\.example\.com responded in content coding dcz,/);
  });

  for (const coding of ["compress", "gzip, compress", "gzip, gzip, gzip, gzip", "unheard-of"]) {
    test(`refuses ${coding}, which could hide a value`, async (t) => {
      const exchange = await start(t, {
        upstream: (_request, response) =>
          response.writeHead(200, { "Content-Encoding": coding }).end("whatever"),
      });
      const received = await exchange.send(get);
      assert.match(received, /^HTTP\/1\.1 502 .*"code":"content_coding_not_supported"/s);
      assert.equal(exchange.audits[0]?.status, 502);
    });
  }

  test("passes any coding on unchanged when there is nothing to redact", async (t) => {
    const exchange = await start(t, {
      policy: policyOf([]),
      upstream: (_request, response) =>
        response
          .writeHead(200, { "Content-Encoding": "unheard-of", "Content-Length": "8" })
          .end("whatever"),
    });
    const received = await exchange.send(get);
    assert.match(received, /Content-Encoding: unheard-of\r\n/);
    assert.equal(bodyOf(received), "whatever");
  });

  const damage: [string, (whole: Buffer) => Buffer][] = [
    ["damaged", (whole) => Buffer.concat([whole.subarray(0, -200), Buffer.alloc(200, 0xff)])],
    ["cut short", (whole) => whole.subarray(0, -6)],
  ];
  for (const [name, damaged] of damage) {
    test(`responds with 502 when short compressed data is ${name}`, async (t) => {
      const exchange = await start(t, {
        upstream: (_request, response) =>
          response
            .writeHead(200, { "Content-Encoding": "gzip" })
            .end(damaged(gzipSync(incompressible(10_000)))),
      });
      const received = await exchange.send(get);
      assert.match(received, /^HTTP\/1\.1 502 .*"code":"content_coding_invalid"/s);
      assert.equal(exchange.audits[0]?.status, 502);
    });

    test(`breaks off when long compressed data is ${name}`, async (t) => {
      const exchange = await start(t, {
        upstream: (_request, response) =>
          response
            .writeHead(200, { "Content-Encoding": "gzip" })
            .end(damaged(gzipSync(incompressible(3 * 1024 * 1024)))),
      });
      const received = await exchange.send(get);
      assert.match(received, /^HTTP\/1\.1 200 /);
      assert.doesNotMatch(received, /\r\n0\r\n\r\n$/);
      const [line] = await exchange.audited(1);
      assert.match(line?.reason ?? "", /not valid gzip/);
    });
  }
});

/** Bytes whose compressed form is about as long, without line breaks between. */
function incompressible(length: number): Buffer {
  return createSeededRandom(7).bytes(length);
}
