import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { gzipSync } from "node:zlib";
import {
  type ExchangeFixture,
  type ExchangeFixtureOptions,
  startExchange,
} from "../../testing/http-exchange-fixture.ts";
import { policyOf, secretOf, tokenOf } from "../../testing/http-policy.ts";
import { inChunks, rawUpstream, withLength } from "../../testing/http-raw-upstream.ts";
import { bodyOf, readChunked, splitResponse } from "../../testing/http-response-text.ts";

const value = "a/b&c+d=Q7v2mX9Lp4ZtW8cKdR3";
/** Letters and digits alone: what a header name may hold too. */
const plainValue = "Q7v2mX9Lp4ZtW8cKdR3Hn5Yb";
const token = tokenOf("a");
const host = "Host: api.example.com\r\n";
const get = `GET / HTTP/1.1\r\n${host}Connection: close\r\n\r\n`;

async function start(t: TestContext, options: ExchangeFixtureOptions): Promise<ExchangeFixture> {
  const exchange = await startExchange({
    policy: policyOf([secretOf("KEY", "a", value)]),
    ...options,
  });
  t.after(() => exchange.close());
  return exchange;
}

/** Nothing of the value is left, in no spelling that the tests use. */
function assertGone(received: string, secret = value): void {
  for (let at = 0; at + 12 <= secret.length; at += 1) {
    const part = secret.slice(at, at + 12);
    assert.ok(!received.includes(part), `${part} is in ${received}`);
  }
}

const utf8 = (text: string) => [...Buffer.from(text)];
const hex = (byte: number) => byte.toString(16).padStart(2, "0");
const json = (text: string) => JSON.stringify(text).slice(1, -1);
const unicode = (text: string) =>
  utf8(text)
    .map((byte) => `\\u00${hex(byte)}`)
    .join("");
const base64 = (text: string) => Buffer.from(text).toString("base64");

const echoes: Record<string, (text: string) => string> = {
  "as it is": (text) => text,
  "in base64": base64,
  "in base64 with one byte before it": (text) => base64(`x${text}`),
  "in base64 with two bytes before it": (text) => base64(`xy${text}`),
  "in base64url": (text) => Buffer.from(`x${text}yz`).toString("base64url"),
  "in base64 wrapped at 76 columns": (text) =>
    (base64(`{"long":"${"x".repeat(60)}","key":"${text}"}`).match(/.{1,76}/g) ?? []).join("\r\n"),
  "in base64 wrapped at 16 columns": (text) => (base64(text).match(/.{1,16}/g) ?? []).join("\n"),
  "as Python's quote writes it": (text) => encodeURIComponent(text).replaceAll("%2F", "/"),
  "as encodeURIComponent writes it": encodeURIComponent,
  "with every byte percent-encoded": (text) =>
    utf8(text)
      .map((byte) => `%${hex(byte)}`)
      .join(""),
  "as Go's JSON": (text) => json(text).replaceAll("&", "\\u0026"),
  "as JSON with escaped slashes": (text) => json(text).replaceAll("/", "\\/"),
  "as JSON escapes": unicode,
  "as JSON in JSON": (text) => json(json(`{"key":"${text}"}`)),
  "as escapes in JSON in JSON": (text) => json(unicode(text)),
  "in hexadecimal": (text) => utf8(text).map(hex).join(""),
  "in hexadecimal of upper case": (text) => utf8(text).map(hex).join("").toUpperCase(),
  "as HTML": (text) => text.replaceAll("&", "&amp;").replaceAll("=", "&equals;"),
  "as decimal entities": (text) =>
    utf8(text)
      .map((byte) => `&#${byte};`)
      .join(""),
  "as hexadecimal entities": (text) =>
    utf8(text)
      .map((byte) => `&#x${hex(byte)};`)
      .join(""),
  "in UTF-16LE": (text) => Buffer.from(text, "utf16le").toString("latin1"),
  "in UTF-16BE": (text) => Buffer.from(text, "utf16le").swap16().toString("latin1"),
};

describe("a value in a body becomes its token", () => {
  for (const [name, echo] of Object.entries(echoes)) {
    const text = `key: ${echo(value)} end`;

    test(`${name}, with a length`, async (t) => {
      const exchange = await start(t, rawUpstream([withLength(text)]));
      const { head, body } = splitResponse(await exchange.send(get));
      assert.ok(body.includes(token), body);
      assert.ok(body.startsWith("key: ") && body.endsWith(" end"), body);
      assert.ok(!body.includes(echo(value)) && !body.includes(echo(value).slice(4, -4)), body);
      assert.match(head, new RegExp(`Content-Length: ${body.length}`));
      assert.deepEqual(exchange.audits[0]?.redacted, ["KEY"]);
    });

    test(`${name}, byte by byte in chunks`, async (t) => {
      const exchange = await start(t, rawUpstream(inChunks([...text])));
      const { data } = readChunked(bodyOf(await exchange.send(get)));
      assert.ok(data.includes(token), data);
      assert.ok(data.startsWith("key: ") && data.endsWith(" end"), data);
      assert.ok(!data.includes(echo(value).slice(4, -4)), data);
    });
  }

  test("to HTTP/1.0, up to the close", async (t) => {
    const exchange = await start(
      t,
      rawUpstream([`HTTP/1.0 200 OK\r\n\r\n<${value}>`], { end: true }),
    );
    assert.equal(bodyOf(await exchange.send(get.replace("1.1", "1.0"))), `<${token}>`);
  });

  test("gzip without a Content-Encoding is refused", async (t) => {
    const exchange = await start(t, rawUpstream([withLength(gzipSync(value))]));
    assert.match(await exchange.send(get), /^HTTP\/1\.1 502 .*"code":"value_in_compressed_body"/s);
  });

  test("at a host that may not receive it, and over plain HTTP", async (t) => {
    const elsewhere = policyOf([secretOf("KEY", "a", value, ["other.example"])]);
    for (const scheme of ["https", "http"] as const) {
      const exchange = await start(t, {
        policy: elsewhere,
        scheme,
        ...rawUpstream([withLength(value)]),
      });
      assert.equal(bodyOf(await exchange.send(get)), token);
    }
  });

  test("a body without a value keeps its bytes and its length", async (t) => {
    const text = `${value.slice(0, -1)} ${"%2F\\u0041&amp;".repeat(20)} ${value.slice(1)}`;
    const exchange = await start(t, rawUpstream([withLength(text)]));
    const { head, body } = splitResponse(await exchange.send(get));
    assert.equal(body, text);
    assert.match(head, new RegExp(`Content-Length: ${text.length}`));
    assert.deepEqual(exchange.audits[0]?.redacted, []);
  });
});

describe("a value in a head becomes its token", () => {
  const oneLine = Object.entries(echoes).filter(([name]) => !/wrapped|UTF-16/.test(name));
  for (const [name, echo] of oneLine) {
    test(`${name}, in the status text, fields, Location and Set-Cookie`, async (t) => {
      const written = echo(value);
      const exchange = await start(
        t,
        rawUpstream([
          withLength(
            "",
            `X-Echo: a ${written} b\r\nLocation: https://x.test/?k=${written}\r\nSet-Cookie: k=${written}; Path=/\r\n`,
            `HTTP/1.1 302 ${written}`,
          ),
        ]),
      );
      const received = await exchange.send(get);
      assert.ok(!received.includes(written.slice(4, -4)), received);
      assertGone(received);
      for (const line of [
        "HTTP/1.1 302 ",
        "X-Echo: a ",
        "Location: https://x.test/?k=",
        "Set-Cookie: k=",
      ]) {
        const from = received.indexOf(line);
        assert.notEqual(from, -1, received);
        const end = received.indexOf("\r\n", from);
        assert.ok(received.slice(from, end).includes(token), received.slice(from, end));
      }
      assert.deepEqual(exchange.audits[0]?.redacted, ["KEY"]);
    });
  }

  test("in a field name, whatever is around it", async (t) => {
    const policy = policyOf([secretOf("KEY", "a", plainValue)]);
    const fields = [plainValue, `X-${plainValue}`, `X-${plainValue}-Y`]
      .map((name) => `${name}: 1\r\n`)
      .join("");
    const exchange = await start(t, { policy, ...rawUpstream([withLength("ok", fields)]) });
    const received = await exchange.send(get);
    assertGone(received, plainValue);
    assert.match(received, new RegExp(`\r\n${token}: 1\r\nX-${token}: 1\r\nX-${token}-Y: 1\r\n`));
  });

  test("where its colon splits a field line", async (t) => {
    const divided = "deploy: 7f3c9a1bd24e6080f";
    const whole = "Zq7v2mX9Lp4:ZtW8cKdR3Hn5Yb";
    const policy = policyOf([secretOf("KEY", "a", divided), secretOf("OTHER", "b", whole)]);
    const exchange = await start(t, {
      policy,
      ...rawUpstream([withLength("ok", `${divided}\r\n${whole}\r\nX: y\r\n`)]),
    });
    const received = await exchange.send(get);
    assert.match(received, new RegExp(`\r\ndeploy: ${token}\r\n${tokenOf("b")}: \r\nX: y\r\n`));
    assertGone(received, divided.slice(8));
    assertGone(received, whole);
    assert.deepEqual(exchange.audits[0]?.redacted, ["KEY", "OTHER"]);
  });

  test("in interim responses", async (t) => {
    const exchange = await start(
      t,
      rawUpstream([
        `HTTP/1.1 103 Hints ${value}\r\nLink: </${value}>\r\nX-Hex: ${Buffer.from(value).toString("hex")}\r\n\r\n`,
        withLength("ok"),
      ]),
    );
    const received = await exchange.send(get);
    assertGone(received);
    assert.ok(
      received.startsWith(
        `HTTP/1.1 103 Hints ${token}\r\nLink: </${token}>\r\nX-Hex: ${token}\r\n\r\n`,
      ),
      received,
    );
    assert.deepEqual(exchange.audits[0]?.redacted, ["KEY"]);
  });

  for (const where of ["value", "name"]) {
    test(`in the ${where} of a trailer`, async (t) => {
      const policy = policyOf([secretOf("KEY", "a", plainValue)]);
      const trailer = where === "value" ? `X-After: <${plainValue}>` : `X-${plainValue}: after`;
      const exchange = await start(t, {
        policy,
        ...rawUpstream(inChunks(["body"], "Trailer: X-After\r\n", `${trailer}\r\nX-Other: 1\r\n`)),
      });
      const { data, trailers } = readChunked(bodyOf(await exchange.send(get)));
      assert.equal(data, "body");
      assert.equal(trailers, `${trailer.replace(plainValue, token)}\r\nX-Other: 1\r\n`);
      assert.deepEqual(exchange.audits[0]?.redacted, ["KEY"]);
    });
  }

  test("in a response to HEAD, and in 304 and 204", async (t) => {
    const cases = [
      [get.replace("GET", "HEAD"), "HTTP/1.1 200 OK", "Content-Length: 12\r\n"],
      [get, "HTTP/1.1 304 Not Modified", ""],
      [get, "HTTP/1.1 204 No Content", ""],
    ] as const;
    for (const [request, statusLine, fields] of cases) {
      const exchange = await start(
        t,
        rawUpstream([
          `${statusLine}\r\n${fields}ETag: "${value}"\r\nLocation: /${encodeURIComponent(value)}\r\n\r\n`,
        ]),
      );
      const received = await exchange.send(request);
      assertGone(received);
      assert.ok(received.startsWith(`${statusLine}\r\n`), received);
      assert.match(received, new RegExp(`ETag: "${token}"\r\nLocation: /${token}\r\n`));
      assert.deepEqual(exchange.audits[0]?.redacted, ["KEY"]);
    }
  });

  test("in a head that is malformed: nothing of it is quoted", async (t) => {
    const heads = [
      value,
      `HTTP/1.1 ${value}\r\n\r\n`,
      `HTTP/1.1 200 OK\r\n${value}\r\n ${value}\r\n\r\n`,
      `HTTP/1.1 200 OK\r\nX-(${value}): 1\r\n\r\n`,
      `HTTP/1.1 200 OK\r\nContent-Length: ${value}\r\n\r\n`,
      `HTTP/1.1 200 OK\r\nTransfer-Encoding: ${value}\r\n\r\n`,
      `HTTP/1.1 101 ${value}\r\nUpgrade: ${value}\r\nConnection: Upgrade\r\n\r\n`,
      `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${value}\r\n`,
      `HTTP/1.1 200 OK\r\nX: ${value}\nY: ${value}\r\n\r\n`,
    ];
    for (const head of heads) {
      const exchange = await start(t, rawUpstream([head], { end: true }));
      const received = await exchange.send(get);
      assertGone(received + JSON.stringify(await exchange.audited(1)));
      assert.match(received, /^HTTP\/1\.1 (?:502|200) /);
    }
  });

  test("a head without a value passes unchanged", async (t) => {
    const fields = `X-Echo: ${value.slice(0, -1)}\r\nSet-Cookie: a=b%2Fc\r\n`;
    const exchange = await start(t, rawUpstream([withLength("ok", fields, "HTTP/1.1 200 Fine")]));
    assert.ok(
      (await exchange.send(get)).startsWith(`HTTP/1.1 200 Fine\r\n${fields}Content-Length: 2\r\n`),
    );
    assert.deepEqual(exchange.audits[0]?.redacted, []);
  });
});

describe("adjacent values", () => {
  const left = "kT7vQ2mX9Lp4Zr";
  const overlap = "W8cKdR3Hn5YbJ6uE";
  const right = "aR1sG4oVx0PiTz";
  const cases: [string, string[], string, RegExp][] = [
    [
      "two that overlap",
      [left + overlap, overlap + right],
      left + overlap + right,
      /^<osb_sealed_(?:a{32}|b{32})>$/,
    ],
    [
      "one that begins another",
      [left + overlap, left + overlap + right],
      left + overlap + right,
      /^<osb_sealed_b{32}>$/,
    ],
    [
      "one that ends another",
      [overlap + right, left + overlap + right],
      left + overlap + right,
      /^<osb_sealed_b{32}>$/,
    ],
    [
      "one inside another",
      [overlap, left + overlap + right],
      left + overlap + right,
      /^<osb_sealed_b{32}>$/,
    ],
    [
      "two side by side",
      [left + overlap, right + left],
      left + overlap + right + left,
      /^<osb_sealed_a{32}osb_sealed_b{32}>$/,
    ],
  ];
  for (const [name, values, text, expected] of cases) {
    test(`${name} leave nothing between tokens`, async (t) => {
      const policy = policyOf(
        values.map((each, at) => secretOf(`KEY_${at}`, "ab"[at] ?? "c", each)),
      );
      for (const parts of [[withLength(`<${text}>`)], inChunks([...`<${text}>`])]) {
        const exchange = await start(t, { policy, ...rawUpstream(parts) });
        const received = bodyOf(await exchange.send(get));
        const data = parts.length === 1 ? received : readChunked(received).data;
        assert.match(data, expected);
      }
    });
  }
});
