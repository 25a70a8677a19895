import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { HttpSyntaxError } from "../http/http-syntax-error.ts";
import { createSeededRandom } from "../testing/seeded-random.ts";
import { readFields } from "./read-fields.ts";
import { readRequestHead } from "./request-head.ts";

const base = [":method", "GET", ":scheme", "https", ":authority", "a.example", ":path", "/"];

describe("readFields", () => {
  test("joins the crumbs of a cookie, and keeps other fields apart", () => {
    const { fields } = readFields(["cookie", "a=1", "x", "1", "cookie", "b=2", "x", "2"]);
    assert.deepEqual(
      fields.map(({ name, value }) => [name, value]),
      [
        ["cookie", "a=1; b=2"],
        ["x", "1"],
        ["x", "2"],
      ],
    );
  });

  const refused: [string, string[]][] = [
    ["a line break in a value", ["x", "a\r\nb: c"]],
    ["a NUL in a value", ["x", "a\0"]],
    ["a name in upper case", ["X", "a"]],
    ["a name with a colon", ["x:y", "a"]],
    ["an empty name", ["", "a"]],
    ["a pseudo-header field given twice", [":path", "/", ":path", "/b"]],
  ];
  for (const [what, raw] of refused) {
    test(`refuses ${what}`, () => assert.throws(() => readFields(raw), HttpSyntaxError));
  }
});

describe("readRequestHead", () => {
  test("makes the authority the only Host", () => {
    const head = readRequestHead([...base, "host", "A.example", "x", "1"], "https");
    assert.deepEqual(
      head.fields.map(({ name, value }) => `${name}: ${value}`),
      ["host: a.example", "x: 1"],
    );
  });

  const refused: [string, string[]][] = [
    ["another Host", [...base, "host", "b.example"]],
    ["an authority given twice", [...base, ":authority", "b.example"]],
    ["another scheme", base.with(3, "http")],
    ["a path with a space", base.with(7, "/a b")],
    ["a path with a line break", base.with(7, "/a\r\nx: y")],
    ["an absolute URL as path", base.with(7, "https://b.example/")],
    ["a method that is no token", base.with(1, "GET /")],
    ["extended CONNECT", [...base.with(1, "CONNECT"), ":protocol", "made-up"]],
  ];
  for (const [what, raw] of refused) {
    test(`refuses ${what}`, () =>
      assert.throws(() => readRequestHead(raw, "https"), HttpSyntaxError));
  }

  const connect = [...base.with(1, "CONNECT"), ":protocol", "websocket"];

  test("makes an extended CONNECT to websocket the request that opens one over HTTP/1.1", () => {
    const head = readRequestHead([...connect, "sec-websocket-key", "a", "x", "1"], "https");
    assert.equal(head.method, "GET");
    assert.equal(head.target, "/");
    const fields = new Map(head.fields.map(({ lowerName, value }) => [lowerName, value]));
    assert.match(fields.get("sec-websocket-key") ?? "", /^[\w+/]{22}==$/);
    assert.deepEqual(
      [...fields.entries()].filter(([name]) => name !== "sec-websocket-key"),
      [
        ["host", "a.example"],
        ["x", "1"],
        ["connection", "Upgrade"],
        ["upgrade", "websocket"],
      ],
    );
  });

  const refusedConnects: [string, string[]][] = [
    ["a protocol without CONNECT", [...base, ":protocol", "websocket"]],
    ["another protocol", [...connect.slice(0, -1), "connect-udp"]],
    ["a WebSocket without a path", connect.toSpliced(6, 2)],
    ["a WebSocket with another scheme", connect.with(3, "http")],
    ["a WebSocket to two places", [...connect, "host", "b.example"]],
  ];
  for (const [what, raw] of refusedConnects) {
    test(`refuses ${what}`, () =>
      assert.throws(() => readRequestHead(raw, "https"), HttpSyntaxError));
  }

  test("whatever arrives, what it returns is a head of HTTP/1.1 without a second meaning", () => {
    const random = createSeededRandom(9113);
    const pieces = [
      "",
      ":path",
      ":method",
      "host",
      "cookie",
      ":protocol",
      "websocket",
      "CONNECT",
      "x",
      "\r\n",
      "\0",
      " ",
      "/",
      "é",
      "a",
    ];
    for (let round = 0; round < 4000; round += 1) {
      const raw = random.below(2) === 0 ? [...base] : [];
      for (let count = random.below(8); count > 0; count -= 1) {
        raw.push(random.pick(pieces) + random.pick(pieces));
      }
      try {
        const { method, target, fields } = readRequestHead(raw, "https");
        const text = [method, target, ...fields.flatMap(({ name, value }) => [name, value])];
        assert.doesNotMatch(text.join(""), /[\r\n\0]/);
        assert.doesNotMatch(`${method}${target}`, /\s/);
        assert.ok(fields.filter(({ lowerName }) => lowerName === "host").length <= 2);
      } catch (error) {
        assert.ok(error instanceof HttpSyntaxError, String(error));
      }
    }
  });
});
