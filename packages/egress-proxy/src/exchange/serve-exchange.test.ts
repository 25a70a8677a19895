import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import type { AuditLine } from "@opencomputer/protocol/wire";
import { refusedAdmission } from "../testing/admissions.ts";
import {
  type ExchangeFixture,
  type ExchangeFixtureOptions,
  startExchange,
} from "../testing/http-exchange-fixture.ts";
import { policyOf, secretOf, tokenOf } from "../testing/http-policy.ts";
import { type RecordedRequest, recordingUpstream } from "../testing/http-recording-upstream.ts";

const host = "Host: api.example.com\r\nConnection: close\r\n";
const value = "sk-Q7v2mX9Lp4ZtW8cKdR3";
const secrets = [
  secretOf("KEY", "a", value),
  secretOf("ELSEWHERE", "b", "other-value", ["other.example"]),
  secretOf("MULTILINE", "c", "line one\nline two"),
  secretOf("LONG", "d", "v".repeat(60 * 1024)),
];

interface Outcome {
  readonly received: string;
  readonly request: RecordedRequest | undefined;
  readonly line: AuditLine | undefined;
  readonly exchange: ExchangeFixture;
}

async function send(
  t: TestContext,
  bytes: string | Buffer,
  options: ExchangeFixtureOptions = {},
): Promise<Outcome> {
  const upstream = recordingUpstream();
  const exchange = await startExchange({
    policy: policyOf(secrets, ["evil.example"]),
    upstream: upstream.listener,
    ...options,
  });
  t.after(() => exchange.close());
  const received = await exchange.send(bytes);
  assert.ok(exchange.audits.length <= 1);
  return { received, request: upstream.requests[0], line: exchange.audits[0], exchange };
}

describe("serveExchange: audit trail", () => {
  test("sends no request while the audit trail cannot be written, and serves again afterwards", async (t) => {
    const upstream = recordingUpstream();
    const exchange = await startExchange({
      policy: policyOf(secrets),
      upstream: upstream.listener,
    });
    t.after(() => exchange.close());
    exchange.setAuditTrailWritable(false);
    const refused = await exchange.send(`GET / HTTP/1.1\r\n${host}\r\n`);
    assert.match(refused, /^HTTP\/1\.1 503 [\s\S]*audit_trail_unwritable/);
    const [line] = await exchange.audited(1);
    assert.equal(line?.decision, "refused");
    assert.match(line?.reason ?? "", /audit trail cannot be written/);
    assert.deepEqual(exchange.dialled, []);
    exchange.setAuditTrailWritable(true);
    assert.match(await exchange.send(`GET / HTTP/1.1\r\n${host}\r\n`), /^HTTP\/1\.1 200 OK/);
    assert.equal(upstream.requests.length, 1);
  });
});

describe("serveExchange: a connection that is refused", () => {
  test("gets the reason as the response to its first request, which is not sent", async (t) => {
    const { received, line, exchange } = await send(
      t,
      `POST /x HTTP/1.1\r\n${host}Content-Length: 100\r\n\r\nabc`,
      { admission: refusedAdmission },
    );
    assert.match(
      received,
      /^HTTP\/1\.1 503 Service Unavailable\r\n[\s\S]*Retry-After: 1\r\n[\s\S]*Connection: close\r\n[\s\S]*"code":"too_many_connections"/,
    );
    assert.deepEqual([line?.decision, line?.status, line?.path], ["refused", 503, "/x"]);
    assert.deepEqual(exchange.dialled, []);
  });
});

describe("serveExchange: policy", () => {
  test("allows a request to an allowed host and audits it", async (t) => {
    const { received, line } = await send(t, `GET /v1/x?secret=query HTTP/1.1\r\n${host}\r\n`);
    assert.match(received, /^HTTP\/1\.1 200 OK/);
    assert.ok(line !== undefined);
    assert.ok(line.durationMilliseconds > 0);
    assert.deepEqual(
      { ...line, time: "", durationMilliseconds: 0 },
      {
        time: "",
        kind: "https",
        sandboxId: "sb-aaaaaaaaaaaaaaaaaaaa",
        sourceAddress: "198.18.4.6",
        host: "api.example.com",
        method: "GET",
        path: "/v1/x",
        decision: "allowed",
        reason: null,
        status: 200,
        substituted: [],
        withheld: [],
        redacted: [],
        leaked: [],
        requestBytes: 0,
        responseBytes: 2,
        durationMilliseconds: 0,
      },
    );
  });

  test("refuses a request without a session, and what follows it", async (t) => {
    const request = "GET / HTTP/1.1\r\nHost: api.example.com\r\n\r\n";
    const { received, line, exchange } = await send(t, request.repeat(2), { policy: undefined });
    assert.match(received, /^HTTP\/1\.1 403 .*"code":"no_session"/s);
    assert.equal(received.match(/HTTP\/1\.1/g)?.length, 1);
    assert.equal(line?.decision, "refused");
    assert.deepEqual(exchange.dialled, []);
  });

  test("refuses another host with a reason, and serves on when the state is certain", async (t) => {
    const upstream = recordingUpstream();
    const exchange = await startExchange({
      upstream: upstream.listener,
      serverName: "evil.example",
      policy: policyOf(secrets, ["evil.example"]),
    });
    t.after(() => exchange.close());
    const received = await exchange.send(
      "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n" +
        "GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
    );
    assert.equal(received.match(/^HTTP\/1\.1 403 Forbidden/gm)?.length, 2);
    assert.ok(
      received.endsWith(
        '\r\n\r\n{"error":"egress to evil.example is not allowed","code":"egress_host_not_allowed"}\n',
      ),
    );
    assert.match(received, /Content-Type: application\/json\r\n/);
    assert.deepEqual(exchange.dialled, []);
    assert.deepEqual(
      exchange.audits.map(({ decision, status, reason }) => [decision, status, reason]),
      Array.from({ length: 2 }, () => ["refused", 403, "egress to evil.example is not allowed"]),
    );
  });

  test("lets a guest that still sends its body read the refusal", async (t) => {
    const body = Buffer.alloc(8 * 1024 * 1024);
    const head = `POST / HTTP/1.1\r\nHost: evil.example\r\nContent-Length: ${body.length}\r\n\r\n`;
    const { received } = await send(t, Buffer.concat([Buffer.from(head), body]), {
      serverName: "evil.example",
    });
    assert.match(received, /^HTTP\/1\.1 403 .*"code":"egress_host_not_allowed"/s);
    assert.match(received, /Connection: close/);
  });

  test("responds to HEAD without a body", async (t) => {
    const { received } = await send(
      t,
      "HEAD / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
      {
        serverName: "evil.example",
      },
    );
    assert.match(received, /^HTTP\/1\.1 403 .*\r\n\r\n$/s);
  });

  test("refuses a Host that is not the name of the handshake", async (t) => {
    const { received, exchange } = await send(t, `GET / HTTP/1.1\r\n${host}\r\n`, {
      serverName: "other.example",
    });
    assert.match(received, /^HTTP\/1\.1 421 .*"code":"host_mismatch"/s);
    assert.deepEqual(exchange.dialled, []);
  });
});

describe("serveExchange: substitution in the head", () => {
  test("substitutes tokens in header values, and not in the target or in names", async (t) => {
    const { request, line } = await send(
      t,
      `GET /p/${tokenOf("a")}?key=${tokenOf("a")} HTTP/1.1\r\n${host}X-Key: ${tokenOf("a")}\r\n` +
        `Cookie: a=${tokenOf("a")}; b=${tokenOf("a")}\r\n${tokenOf("a")}: name\r\n\r\n`,
    );
    assert.equal(request?.headers["x-key"], value);
    assert.equal(request?.headers.cookie, `a=${value}; b=${value}`);
    assert.equal(request?.headers[tokenOf("a")], "name");
    assert.equal(request?.url, `/p/${tokenOf("a")}?key=${tokenOf("a")}`);
    assert.deepEqual(line?.substituted, ["KEY"]);
    assert.deepEqual(line?.withheld, [
      { name: "KEY", place: "path" },
      { name: "KEY", place: "query" },
    ]);
    assert.equal(line?.path, `/p/${tokenOf("a")}`);
  });

  test("puts a value into Basic credentials", async (t) => {
    const credentials = Buffer.from(`user:${tokenOf("a")}`).toString("base64");
    const { request } = await send(
      t,
      `GET / HTTP/1.1\r\n${host}Authorization: Basic ${credentials}\r\n\r\n`,
    );
    assert.equal(
      request?.headers.authorization,
      `Basic ${Buffer.from(`user:${value}`).toString("base64")}`,
    );
  });

  test("withholds a value from a host that may not have it", async (t) => {
    const { request, line } = await send(
      t,
      `GET / HTTP/1.1\r\n${host}X-Key: ${tokenOf("b")}\r\n\r\n`,
    );
    assert.equal(request?.headers["x-key"], tokenOf("b"));
    assert.deepEqual(line?.substituted, []);
    assert.deepEqual(line?.withheld, [{ name: "ELSEWHERE", place: "header x-key" }]);
  });

  test("gives that value to the host that may have it", async (t) => {
    const { request } = await send(
      t,
      `GET / HTTP/1.1\r\nHost: other.example\r\nConnection: close\r\nX-Key: ${tokenOf("b")}\r\n\r\n`,
      { serverName: "other.example" },
    );
    assert.equal(request?.headers["x-key"], "other-value");
  });

  test("withholds every value over plain HTTP, in head and body", async (t) => {
    const { request, line } = await send(
      t,
      `POST / HTTP/1.1\r\n${host}X-Key: ${tokenOf("a")}\r\nContent-Length: 43\r\n\r\n${tokenOf("b")}`,
      { scheme: "http" },
    );
    assert.equal(request?.headers["x-key"], tokenOf("a"));
    assert.equal(request?.body, tokenOf("b"));
    assert.equal(line?.kind, "http");
    assert.deepEqual(line?.substituted, []);
    assert.deepEqual(line?.withheld, [
      { name: "KEY", place: "header x-key" },
      { name: "ELSEWHERE", place: "body" },
    ]);
  });

  test("refuses a value that no header may hold, naming the secret and not the value", async (t) => {
    const { received, exchange, line } = await send(
      t,
      `GET / HTTP/1.1\r\n${host}X-Key: ${tokenOf("c")}\r\n\r\n`,
    );
    assert.match(
      received,
      /^HTTP\/1\.1 422 .*secret MULTILINE.*"code":"secret_not_usable_in_header"/s,
    );
    assert.doesNotMatch(received + JSON.stringify(line), /line one|line two/);
    assert.deepEqual(exchange.dialled, []);
    assert.deepEqual(line?.substituted, []);
  });

  test("does not let a short head grow without bound", async (t) => {
    const { received } = await send(
      t,
      `GET / HTTP/1.1\r\n${host}${`X-Key: ${tokenOf("d")}\r\n`.repeat(100)}\r\n`,
    );
    assert.match(received, /^HTTP\/1\.1 431 /);
  });

  test("asks for unencoded responses when there are values to search for, and keeps the guest's Accept-Encoding otherwise", async (t) => {
    const wish = `GET / HTTP/1.1\r\n${host}Accept-Encoding: gzip, br\r\n\r\n`;
    assert.equal((await send(t, wish)).request?.headers["accept-encoding"], "identity");
    const without = await send(t, wish, { policy: policyOf([]) });
    assert.equal(without.request?.headers["accept-encoding"], "gzip, br");
  });
});

describe("serveExchange: substitution in the body", () => {
  const post = (body: string | Buffer, fields = "") =>
    Buffer.concat([
      Buffer.from(`POST / HTTP/1.1\r\n${host}${fields}Content-Length: ${body.length}\r\n\r\n`),
      Buffer.from(body),
    ]);

  test("states the new length of a small body", async (t) => {
    const { request, line } = await send(t, post(`<${tokenOf("a")}>`));
    assert.equal(request?.body, `<${value}>`);
    assert.equal(request?.headers["content-length"], String(value.length + 2));
    assert.equal(request?.headers["transfer-encoding"], undefined);
    assert.deepEqual(line?.substituted, ["KEY"]);
    assert.equal(line?.requestBytes, 45);
  });

  test("keeps the length exact when values make the body much larger", async (t) => {
    const { request } = await send(t, post(tokenOf("d").repeat(50)));
    assert.equal(request?.body.length, 50 * 60 * 1024);
    assert.equal(request?.headers["content-length"], String(50 * 60 * 1024));
  });

  test("escapes a value as the media type requires", async (t) => {
    const json = await send(
      t,
      post(`{"k":"${tokenOf("c")}"}`, "Content-Type: application/json\r\n"),
    );
    assert.deepEqual(JSON.parse(json.request?.body ?? ""), { k: "line one\nline two" });
    const form = await send(
      t,
      post(`k=${tokenOf("c")}`, "Content-Type: application/x-www-form-urlencoded\r\n"),
    );
    assert.equal(form.request?.body, "k=line%20one%0Aline%20two");
    const raw = await send(t, post(tokenOf("c"), "Content-Type: text/plain\r\n"));
    assert.equal(raw.request?.body, "line one\nline two");
  });

  test("substitutes in a chunked body, and not in its trailers", async (t) => {
    const token = tokenOf("a");
    const { request, line } = await send(
      t,
      `POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n` +
        `14\r\n${token.slice(0, 20)}\r\n17\r\n${token.slice(20)}\r\n0\r\nX-Key: ${token}\r\n\r\n`,
    );
    assert.equal(request?.body, value);
    assert.equal(request?.trailers["x-key"], token);
    assert.deepEqual(line?.withheld, [{ name: "KEY", place: "trailer" }]);
  });

  test("passes a body without usable secrets unchanged", async (t) => {
    const policy = policyOf([secretOf("ELSEWHERE", "b", "other-value", ["other.example"])]);
    const { request, line } = await send(t, post(`<${tokenOf("b")}>`), { policy });
    assert.equal(request?.body, `<${tokenOf("b")}>`);
    assert.equal(request?.headers["content-length"], "45");
    assert.deepEqual(line?.withheld, [{ name: "ELSEWHERE", place: "body" }]);
  });

  test("sends on that a body is empty", async (t) => {
    const { request } = await send(t, post(""));
    assert.equal(request?.headers["content-length"], "0");
  });
});
