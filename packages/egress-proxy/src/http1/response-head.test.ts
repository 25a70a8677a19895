import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { HttpSyntaxError } from "../http/http-syntax-error.ts";
import { createSeededRandom } from "../testing/seeded-random.ts";
import { parseResponseHead } from "./response-head.ts";

function parse(text: string) {
  return parseResponseHead(Buffer.from(text, "latin1"));
}

describe("parseResponseHead", () => {
  const taken = [
    { line: "HTTP/1.1 200 OK", minorVersion: 1, status: 200, reason: "OK" },
    { line: "HTTP/1.0 404 Not Found", minorVersion: 0, status: 404, reason: "Not Found" },
    { line: "HTTP/1.1 200 ", minorVersion: 1, status: 200, reason: "" },
    { line: "HTTP/1.1 200", minorVersion: 1, status: 200, reason: "" },
  ];
  for (const { line, ...expected } of taken) {
    test(`accepts ${JSON.stringify(line)}`, () => {
      assert.deepEqual(parse(line), { ...expected, fields: [] });
    });
  }

  const refused = [
    "",
    "HTTP/1.1 20 OK",
    "HTTP/1.1 2000 OK",
    "HTTP/1.1 099 Low",
    "HTTP/2 200 OK",
    "ICY 200 OK",
    "HTTP/1.1  200 OK",
    "HTTP/1.1 200 OK\r\nX : y",
    "HTTP/1.1 200 OK\r\nX: y\r\n folded",
    "HTTP/1.1 200 OK\r\nX: a\rb",
    "HTTP/1.1 200 O\0K",
  ];
  for (const head of refused) {
    test(`refuses ${JSON.stringify(head)}`, () => {
      assert.throws(() => parse(head), HttpSyntaxError);
    });
  }

  test("throws only HttpSyntaxError, whatever arrives", () => {
    const random = createSeededRandom(11);
    for (let round = 0; round < 5000; round += 1) {
      const bytes = Buffer.from("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nServer: x");
      for (let change = random.below(5); change >= 0; change -= 1) {
        bytes[random.below(bytes.length)] = random.below(256);
      }
      try {
        parseResponseHead(bytes);
      } catch (error) {
        assert.ok(error instanceof HttpSyntaxError, String(error));
      }
    }
  });
});
