import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from "node:zlib";
import {
  type ExchangeFixture,
  type ExchangeFixtureOptions,
  readUntil,
  startExchange,
} from "../testing/http-exchange-fixture.ts";
import { policyOf, secretOf, tokenOf } from "../testing/http-policy.ts";

const get = "GET / HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n\r\n";
const value = 'sk-"real"-value';
const token = tokenOf("a");
const policy = policyOf([secretOf("KEY", "a", value)]);

async function start(t: TestContext, options: ExchangeFixtureOptions): Promise<ExchangeFixture> {
  const exchange = await startExchange({ policy, ...options });
  t.after(() => exchange.close());
  return exchange;
}

function bodyOf(answer: string): string {
  return answer.slice(answer.indexOf("\r\n\r\n") + 4);
}

/** The data of a chunked body of which no chunk holds CRLF. */
function dechunked(body: string): string {
  const lines = body.split("\r\n");
  assert.equal(lines.at(-3), "0", "the body does not end with a last chunk");
  return lines
    .slice(0, -3)
    .filter((_, index) => index % 2 === 1)
    .join("");
}

describe("relayAnswer: sealing values again", () => {
  test("seals header values, the reason and the body, and keeps an exact length", async (t) => {
    const exchange = await start(t, {
      raw: (socket) =>
        socket.once("data", () =>
          socket.write(
            `HTTP/1.1 200 ${value}\r\nX-Echo: a ${value} b\r\nContent-Length: ${value.length + 2}\r\n\r\n<${value}>`,
          ),
        ),
    });
    const answer = await exchange.send(get);
    assert.equal(
      answer,
      `HTTP/1.1 200 ${token}\r\nX-Echo: a ${token} b\r\nContent-Length: 45\r\nConnection: close\r\n\r\n<${token}>`,
    );
    assert.deepEqual(exchange.audits[0]?.redacted, ["KEY"]);
    assert.equal(exchange.audits[0]?.responseBytes, 45);
  });

  test("leaves an answer without values as it is", async (t) => {
    const exchange = await start(t, {
      raw: (socket) =>
        socket.once("data", () =>
          socket.write("HTTP/1.1 200 OK\r\nX-Echo: a\r\nContent-Length: 4\r\n\r\nbody"),
        ),
    });
    const answer = await exchange.send(get);
    assert.equal(
      answer,
      "HTTP/1.1 200 OK\r\nX-Echo: a\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody",
    );
    assert.deepEqual(exchange.audits[0]?.redacted, []);
  });

  test("seals a value that arrives octet by octet in chunks, and in trailers", async (t) => {
    const exchange = await start(t, {
      upstream: (_request, response) => {
        response.setHeader("Trailer", "X-After");
        for (const octet of `<${value}>`) response.write(octet);
        response.addTrailers({ "X-After": value });
        response.end();
      },
    });
    const answer = await exchange.send(get);
    const body = bodyOf(answer);
    assert.doesNotMatch(answer, /real/);
    assert.match(body, new RegExp(`\\r\\n0\\r\\nX-After: ${token}\\r\\n\\r\\n$`));
    assert.equal(dechunked(body.replace(/X-After: .*\r\n/, "")), `<${token}>`);
  });

  test("seals the Basic credentials that went up", async (t) => {
    const exchange = await start(t, {
      upstream: (request, response) => response.end(`you are ${request.headers.authorization}`),
    });
    const sealed = Buffer.from(`user:${token}`).toString("base64");
    const answer = await exchange.send(
      get.replace("\r\n\r\n", `\r\nAuthorization: Basic ${sealed}\r\n\r\n`),
    );
    assert.equal(bodyOf(answer), `you are Basic ${sealed}`);
  });

  test("streams a larger body in chunks, and to HTTP/1.0 up to the close", async (t) => {
    const body = `${"x".repeat(3000)}${value}${"y".repeat(3000)}`;
    const exchange = await start(t, {
      upstream: (_request, response) => response.setHeader("Content-Length", body.length).end(body),
      options: { measuredBodyBytesMax: 1000 },
    });
    const sealed = body.replace(value, token);
    const chunked = await exchange.send(get);
    assert.match(chunked, /\r\nTransfer-Encoding: chunked\r\n/);
    assert.doesNotMatch(chunked, /Content-Length/i);
    assert.equal(dechunked(bodyOf(chunked)), sealed);
    const old = await exchange.send(get.replace("HTTP/1.1", "HTTP/1.0"));
    assert.doesNotMatch(old, /Content-Length|Transfer-Encoding/i);
    assert.equal(bodyOf(old), sealed);
  });

  test("keeps the length of a larger body when there is nothing to seal", async (t) => {
    const body = "x".repeat(5000);
    const exchange = await start(t, {
      policy: policyOf([]),
      upstream: (_request, response) => response.setHeader("Content-Length", body.length).end(body),
      options: { measuredBodyBytesMax: 1000 },
    });
    const answer = await exchange.send(get);
    assert.match(answer, /\r\nContent-Length: 5000\r\n/);
    assert.equal(bodyOf(answer), body);
  });

  test("passes each event of a stream at once, though its beginning looks like nothing", async (t) => {
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

describe("relayAnswer: compressed answers", () => {
  const codings: [string, (text: string) => Buffer][] = [
    ["gzip", gzipSync],
    ["x-gzip", gzipSync],
    ["deflate", deflateSync],
    ["deflate", deflateRawSync],
    ["br", brotliCompressSync],
  ];
  for (const [coding, compress] of codings) {
    test(`seals in ${coding} (${compress.name}) by sending it decoded`, async (t) => {
      const exchange = await start(t, {
        upstream: (_request, response) =>
          response.writeHead(200, { "Content-Encoding": coding }).end(compress(`<${value}>`)),
      });
      const answer = await exchange.send(get);
      assert.doesNotMatch(answer, /Content-Encoding/i);
      assert.equal(dechunked(bodyOf(answer)), `<${token}>`);
    });
  }

  for (const coding of ["compress", "gzip, br", "unheard-of"]) {
    test(`refuses ${coding}, inside of which a value could hide`, async (t) => {
      const exchange = await start(t, {
        upstream: (_request, response) =>
          response.writeHead(200, { "Content-Encoding": coding }).end("whatever"),
      });
      const answer = await exchange.send(get);
      assert.match(answer, /^HTTP\/1\.1 502 .*"code":"content_coding_not_supported"/s);
      assert.equal(exchange.audits[0]?.status, 502);
    });
  }

  test("passes any coding on as it is when there is nothing to seal", async (t) => {
    const exchange = await start(t, {
      policy: policyOf([]),
      upstream: (_request, response) =>
        response
          .writeHead(200, { "Content-Encoding": "unheard-of", "Content-Length": "8" })
          .end("whatever"),
    });
    const answer = await exchange.send(get);
    assert.match(answer, /Content-Encoding: unheard-of\r\n/);
    assert.equal(bodyOf(answer), "whatever");
  });

  test("breaks off when the compressed data is damaged or cut short", async (t) => {
    const whole = gzipSync("x".repeat(10_000));
    const damaged = Buffer.from(whole);
    damaged.fill(0xff, 12);
    for (const body of [damaged, whole.subarray(0, -6)]) {
      const exchange = await start(t, {
        upstream: (_request, response) =>
          response.writeHead(200, { "Content-Encoding": "gzip" }).end(body),
      });
      const answer = await exchange.send(get);
      assert.doesNotMatch(answer, /\r\n0\r\n\r\n$/);
      const [line] = await exchange.audited(1);
      assert.notEqual(line?.reason, null);
    }
  });
});
