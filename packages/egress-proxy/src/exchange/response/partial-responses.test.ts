import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import {
  type ExchangeFixture,
  type ExchangeFixtureOptions,
  startExchange,
} from "../../testing/http-exchange-fixture.ts";
import { policyOf, secretOf, tokenOf } from "../../testing/http-policy.ts";
import { rawUpstream, withLength } from "../../testing/http-raw-upstream.ts";
import { type RecordedRequest, recordingUpstream } from "../../testing/http-recording-upstream.ts";
import { bodyOf, splitResponse } from "../../testing/http-response-text.ts";

const value = "sk-Q7v2mX9Lp4ZtW8cKdR3Hn5Yb";
const token = tokenOf("a");
const host = "Host: api.example.com\r\nConnection: close\r\n";
const storable = policyOf([secretOf("KEY", "a", value)]);
const headerOnly = policyOf([secretOf("KEY", "a", value, [], ["header"])]);
const content = `note: ${value}, and more`;

async function start(t: TestContext, options: ExchangeFixtureOptions): Promise<ExchangeFixture> {
  const exchange = await startExchange(options);
  t.after(() => exchange.close());
  return exchange;
}

/** Fields by which servers give a part, each as a guest may write it. */
const partFields = [
  "Range: bytes=6-10",
  "rANGE: bytes=6-10",
  "Range: bytes=6-10, 11-15",
  'If-Range: "etag"',
  "x-ms-range: bytes=6-10",
  "X-Goog-Range: bytes=6-10",
  "Request-Range: bytes=6-10",
  "X-Range: bytes=6-10",
  "A-IM: vcdiff",
  "x-ms-range-get-content-md5: true",
  "x-ms-range-get-content-crc64: true",
];

/** A store that has a value and returns parts of it on every kind of request for parts. */
function partialStore(): ReturnType<typeof recordingUpstream> {
  return recordingUpstream((response, { headers, url }) => {
    const asksForPart =
      Object.keys(headers).some((name) => /range|a-im/.test(name)) || /partNumber/i.test(url ?? "");
    if (!asksForPart) response.end(content);
    else response.writeHead(206, { "Content-Range": "bytes 6-10/99" }).end(content.slice(6, 11));
  });
}

function names({ headers }: RecordedRequest): string[] {
  return Object.keys(headers).filter(
    (name) => !["host", "accept-encoding", "connection"].includes(name),
  );
}

describe("at a host that may have stored a value", () => {
  for (const field of partFields) {
    for (const method of ["GET", "HEAD"]) {
      test(`${method} with ${field}: the whole resource is returned, redacted`, async (t) => {
        const upstream = partialStore();
        const exchange = await start(t, { policy: storable, upstream: upstream.listener });
        const received = await exchange.send(`${method} /note HTTP/1.1\r\n${host}${field}\r\n\r\n`);
        assert.match(received, /^HTTP\/1\.1 200 /);
        assert.equal(bodyOf(received), method === "HEAD" ? "" : `note: ${token}, and more`);
        assert.deepEqual(upstream.requests.map(names), [[]]);
      });
    }
  }

  for (const status of [206, 226]) {
    for (const request of ["/note", "/note?partNumber=1", "/note?a=b&partnumber=2"]) {
      test(`${status} in response to ${request} is refused`, async (t) => {
        const exchange = await start(t, {
          policy: storable,
          ...rawUpstream([withLength(value.slice(0, 5), "", `HTTP/1.1 ${status} Part`)]),
        });
        const received = await exchange.send(
          `GET ${request} HTTP/1.1\r\n${host}Range: bytes=0-4\r\n\r\n`,
        );
        assert.match(received, /^HTTP\/1\.1 502 .*"code":"partial_response_refused"/s);
        assert.ok(!received.includes(value.slice(0, 5)));
        assert.equal(exchange.audits[0]?.status, 502);
        assert.match(exchange.audits[0]?.reason ?? "", new RegExp(`\\(${status}\\)`));
      });
    }
  }

  test("no sequence of requests returns the value in pieces", async (t) => {
    const upstream = partialStore();
    const exchange = await start(t, { policy: storable, upstream: upstream.listener });
    let pieces = "";
    for (let at = 0; at < content.length; at += 5) {
      for (const field of partFields) {
        const written = field.replace("6-10", `${at}-${at + 4}`);
        pieces += bodyOf(await exchange.send(`GET /note HTTP/1.1\r\n${host}${written}\r\n\r\n`));
      }
    }
    for (let at = 0; at + 5 <= value.length; at += 1) {
      assert.ok(!pieces.includes(value.slice(at, at + 5)));
    }
  });

  test("any other conditional request passes", async (t) => {
    const upstream = recordingUpstream();
    const exchange = await start(t, { policy: storable, upstream: upstream.listener });
    await exchange.send(`GET / HTTP/1.1\r\n${host}If-None-Match: "a"\r\nX-Arrange: 1\r\n\r\n`);
    assert.deepEqual(upstream.requests.map(names), [["if-none-match", "x-arrange"]]);
  });
});

describe("where a value is only in headers", () => {
  for (const field of partFields) {
    test(`${field} is sent upstream, and the part is returned`, async (t) => {
      const upstream = partialStore();
      const exchange = await start(t, { policy: headerOnly, upstream: upstream.listener });
      const received = await exchange.send(`GET /file HTTP/1.1\r\n${host}${field}\r\n\r\n`);
      assert.match(received, /^HTTP\/1\.1 206 /);
      const [request] = upstream.requests;
      assert.ok(request !== undefined);
      assert.deepEqual(names(request), [field.slice(0, field.indexOf(":")).toLowerCase()]);
    });
  }

  test("a download of any length is resumed", async (t) => {
    const file = Buffer.alloc(3 * 1024 * 1024, "0123456789 ");
    const upstream = recordingUpstream((response, { headers }) => {
      const from = Number(/bytes=(\d+)-/.exec(headers.range ?? "bytes=0-")?.[1]);
      response.writeHead(from === 0 ? 200 : 206, {
        "Content-Length": file.length - from,
        "Content-Range": `bytes ${from}-${file.length - 1}/${file.length}`,
      });
      response.end(file.subarray(from));
    });
    const exchange = await start(t, { policy: headerOnly, upstream: upstream.listener });
    const fields = `Authorization: Bearer ${token}\r\nRange: bytes=1000000-\r\nIf-Range: "v1"\r\n`;
    const received = await exchange.send(`GET /f HTTP/1.0\r\n${host}${fields}\r\n`);
    const { head, body } = splitResponse(received);
    assert.match(head, /^HTTP\/1\.1 206 /);
    assert.match(head, /\r\nContent-Range: bytes 1000000-3145727\/3145728\r\n/i);
    assert.ok(Buffer.from(body, "latin1").equals(file.subarray(1_000_000)));
    assert.equal(upstream.requests[0]?.headers.authorization, `Bearer ${value}`);
  });

  for (const status of [206, 226]) {
    test(`${status} that was not requested is refused`, async (t) => {
      const exchange = await start(t, {
        policy: headerOnly,
        ...rawUpstream([withLength("part", "", `HTTP/1.1 ${status} Part`)]),
      });
      const received = await exchange.send(`GET /file HTTP/1.1\r\n${host}\r\n`);
      assert.match(received, /^HTTP\/1\.1 502 .*"code":"partial_response_refused"/s);
    });
  }

  test("a part of an object that the query names is returned", async (t) => {
    const upstream = partialStore();
    const exchange = await start(t, { policy: headerOnly, upstream: upstream.listener });
    const received = await exchange.send(`GET /o?partNumber=1 HTTP/1.1\r\n${host}\r\n`);
    assert.match(received, /^HTTP\/1\.1 206 /);
  });
});

test("without secrets a part passes, requested or not", async (t) => {
  const exchange = await start(t, {
    policy: policyOf([]),
    ...rawUpstream([withLength("part", "", "HTTP/1.1 206 Part")]),
  });
  assert.match(await exchange.send(`GET / HTTP/1.1\r\n${host}\r\n`), /^HTTP\/1\.1 206 Part\r\n/);
});
