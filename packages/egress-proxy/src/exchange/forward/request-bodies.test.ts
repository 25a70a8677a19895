import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import type { AuditLine } from "@opencomputer/protocol/wire";
import { bodyRecordingUpstream, type RecordedBody } from "../../testing/body-recording-upstream.ts";
import {
  type ExchangeFixtureOptions,
  readUntil,
  startExchange,
} from "../../testing/http-exchange-fixture.ts";
import { policyOf, secretOf, tokenOf } from "../../testing/http-policy.ts";

const value = "sk-Q7v2mX9Lp4ZtW8cKdR3";
const token = tokenOf("a");
const policy = policyOf([secretOf("KEY", "a", value)]);
const host = "Host: api.example.com\r\nConnection: close\r\n";
const growth = value.length - token.length;

interface Outcome {
  readonly received: string;
  readonly request: RecordedBody;
  readonly line: AuditLine;
}

async function send(
  t: TestContext,
  method: string,
  type: string | undefined,
  body: string | Buffer,
  options: ExchangeFixtureOptions = {},
): Promise<Outcome> {
  const upstream = bodyRecordingUpstream({ needsLength: true });
  const exchange = await startExchange({ policy, upstream: upstream.listener, ...options });
  t.after(() => exchange.close());
  const typeField = type === undefined ? "" : `Content-Type: ${type}\r\n`;
  const head = `${method} /put HTTP/1.1\r\n${host}${typeField}Content-Length: ${body.length}\r\n\r\n`;
  const received = await exchange.send(Buffer.concat([Buffer.from(head), Buffer.from(body)]));
  const [request] = upstream.requests;
  const [line] = exchange.audits;
  if (request === undefined || line === undefined) throw new Error(`Nothing was sent: ${received}`);
  return { received, request, line };
}

const withheld = [{ name: "KEY", place: "body" }];

describe("a file keeps its Content-Length, at a host that may receive a value in bodies", () => {
  const files: [string, string, string | undefined][] = [
    ["PUT without a type", "PUT", undefined],
    ["POST without a type", "POST", undefined],
    ["POST of bytes", "POST", "application/octet-stream"],
    ["POST of an image", "POST", "image/png"],
    ["POST of a form with files", "POST", "multipart/form-data; boundary=x"],
  ];
  for (const [name, method, type] of files) {
    test(`${name}, with no token`, async (t) => {
      const file = Buffer.alloc(2_000_000);
      const { received, request, line } = await send(t, method, type, file);
      assert.match(received, /^HTTP\/1\.1 200 /);
      assert.equal(request.headers["content-length"], "2000000");
      assert.ok(request.body.equals(file));
      assert.deepEqual([line.substituted, line.withheld], [[], []]);
    });

    test(`${name}, with tokens in its beginning and after it`, async (t) => {
      const file = Buffer.alloc(2_000_000);
      file.write(token, 100);
      file.write(token, 500_000);
      const { received, request, line } = await send(t, method, type, file);
      const length = 2_000_000 + growth;
      assert.equal(request.headers["content-length"], String(length));
      assert.equal(request.body.length, length);
      assert.equal(request.body.toString("latin1", 100, 100 + value.length), value);
      assert.equal(request.body.indexOf(token), 500_000 + growth);
      assert.deepEqual([line.substituted, line.withheld], [["KEY"], withheld]);
      assert.match(received, /\r\nOpenComputer-Egress: withheld=KEY \(body\)\r\n/);
    });
  }

  for (let at = 1000 - token.length; at <= 1000; at += 1) {
    test(`with a token at byte ${at} of 3000, of which the first 1000 are measured`, async (t) => {
      const file = Buffer.alloc(3000, "x");
      file.write(token, at);
      const options = { measuredBodyBytesMax: 1000, fileBeginningBytesMax: 1000 };
      const { request } = await send(t, "PUT", undefined, file, { options });
      const whole = file.toString();
      const substituted = whole.replace(token, value);
      assert.ok([whole, substituted].includes(request.body.toString()));
      assert.equal(request.headers["content-length"], String(request.body.length));
    });
  }

  test("whatever its type, when it is stored by a PUT", async (t) => {
    const text = `${token}${"x".repeat(3000)}`;
    const options = { measuredTextBytesMax: 1000, measuredBodyBytesMax: 1000 };
    const { request } = await send(t, "PUT", "text/csv", text, { options });
    assert.equal(request.headers["content-length"], String(text.length + growth));
    assert.equal(request.body.toString(), text.replace(token, value));
  });

  test("when the sandbox's budget is used up, with its tokens", async (t) => {
    const { request, line } = await send(t, "PUT", undefined, `<${token}>`, { budgetBytes: 10 });
    assert.equal(request.headers["content-length"], String(token.length + 2));
    assert.equal(request.body.toString(), `<${token}>`);
    assert.deepEqual([line.substituted, line.withheld], [[], withheld]);
  });

  test("from a guest that waits to be asked for it", async (t) => {
    const upstream = bodyRecordingUpstream({ needsLength: true });
    const exchange = await startExchange({ policy, upstream: upstream.listener });
    t.after(() => exchange.close());
    const guest = exchange.connect();
    guest.write(`PUT / HTTP/1.1\r\n${host}Expect: 100-continue\r\nContent-Length: 1500000\r\n\r\n`);
    await readUntil(guest, (text) => text === "HTTP/1.1 100 Continue\r\n\r\n");
    guest.write(Buffer.alloc(1_500_000));
    await readUntil(guest, (text) => text.startsWith("HTTP/1.1 200 "));
    assert.equal(upstream.requests[0]?.headers["content-length"], "1500000");
    assert.equal(upstream.requests[0]?.headers.expect, undefined);
    guest.destroy();
  });
});

describe("text is substituted throughout", () => {
  const texts = [
    ["application/json", `{"text":"${"x".repeat(2_000_000)}","key":"${token}"}`],
    ["application/x-www-form-urlencoded", `text=${"x".repeat(2_000_000)}&key=${token}`],
    ["text/plain; charset=utf-8", `${"x".repeat(2_000_000)}${token}`],
    ["application/soap+xml", `<key>${"x".repeat(2_000_000)}${token}</key>`],
  ] as const;
  for (const [type, text] of texts) {
    test(`with an exact length: ${type}`, async (t) => {
      const { request, line } = await send(t, "POST", type, text);
      assert.equal(request.headers["content-length"], String(text.length + growth));
      assert.equal(request.body.toString(), text.replace(token, value));
      assert.deepEqual([line.substituted, line.withheld], [["KEY"], []]);
    });

    test(`without a length where it is too long to be measured: ${type}`, async (t) => {
      const options = { measuredTextBytesMax: 1000 };
      const { received, request } = await send(t, "POST", type, text, { options });
      assert.match(received, /^HTTP\/1\.1 501 /);
      assert.equal(request.headers["transfer-encoding"], "chunked");
      assert.equal(request.body.toString(), text.replace(token, value));
    });
  }

  test("without a length when the sandbox's budget is used up", async (t) => {
    const { request } = await send(t, "POST", "text/plain", `<${token}>`, { budgetBytes: 10 });
    assert.equal(request.headers["transfer-encoding"], "chunked");
    assert.equal(request.body.toString(), `<${value}>`);
  });

  test("and keeps its length where no secret may be used in bodies", async (t) => {
    const inHeaders = policyOf([secretOf("KEY", "a", value, [], ["header"])]);
    const elsewhere = policyOf([secretOf("KEY", "a", value, ["other.example"])]);
    for (const other of [inHeaders, elsewhere]) {
      const text = `{"text":"${"x".repeat(3000)}","key":"${token}"}`;
      const options = { measuredTextBytesMax: 1000, measuredBodyBytesMax: 1000 };
      const outcome = await send(t, "POST", "application/json", text, { policy: other, options });
      assert.equal(outcome.request.headers["content-length"], String(text.length));
      assert.equal(outcome.request.body.toString(), text);
      assert.deepEqual([outcome.line.substituted, outcome.line.withheld], [[], withheld]);
    }
  });

  test("members of text that is longer than is collected for them stay tokens", async (t) => {
    const inMember = policyOf([secretOf("KEY", "a", value, [], ["body:key"])]);
    const text = `{"key":"${token}","text":"${"x".repeat(3000)}"}`;
    const options = { measuredBodyBytesMax: 1000 };
    const outcome = await send(t, "POST", "application/json", text, { policy: inMember, options });
    assert.equal(outcome.request.headers["content-length"], String(text.length));
    assert.deepEqual(outcome.line.withheld, withheld);
  });
});

test("the budget is given back when the request was sent, and not only after its response", async (t) => {
  let requests = 0;
  const exchange = await startExchange({
    policy,
    budgetBytes: 3000,
    upstream: (request, response) => {
      request.resume().on("end", () => {
        requests += 1;
        response.writeHead(200, { "X-Length": request.headers["content-length"] ?? "none" });
        response.write("it goes on\n");
      });
    },
  });
  t.after(() => exchange.close());
  const guests = Array.from({ length: 3 }, () => exchange.connect());
  for (const guest of guests) {
    const head = `POST / HTTP/1.1\r\n${host}Content-Type: text/plain\r\nContent-Length: 2000\r\n\r\n`;
    guest.write(head + "x".repeat(2000));
    const text = await readUntil(guest, (received) => received.includes("it goes on"));
    assert.match(text, /X-Length: 2000\r\n/);
  }
  assert.equal(requests, 3);
  for (const guest of guests) guest.destroy();
});
