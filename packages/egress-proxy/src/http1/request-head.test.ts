import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { serviceLimits } from "@opencomputer/protocol/wire";
import { HttpSyntaxError, type HttpSyntaxFault } from "../http/http-syntax-error.ts";
import { createSeededRandom } from "../testing/seeded-random.ts";
import { requestFraming } from "./message-framing.ts";
import { parseRequestHead } from "./request-head.ts";

function parse(text: string) {
  return parseRequestHead(Buffer.from(text, "latin1"));
}

describe("parseRequestHead", () => {
  test("separates names, values and white space", () => {
    const head = parse("GET /a?b=c HTTP/1.1\r\nHost: x\r\nX-A: \t b c \t\r\nX-Empty:\r\nx-e: y");
    assert.deepEqual(head, {
      method: "GET",
      target: "/a?b=c",
      minorVersion: 1,
      fields: [
        { name: "Host", lowerName: "host", value: "x" },
        { name: "X-A", lowerName: "x-a", value: "b c" },
        { name: "X-Empty", lowerName: "x-empty", value: "" },
        { name: "x-e", lowerName: "x-e", value: "y" },
      ],
    });
  });

  test("keeps bytes above 127 in values and no-break spaces at their ends", () => {
    const head = parse("GET / HTTP/1.0\r\nX: \xa0caf\xe9\xa0");
    assert.equal(head.minorVersion, 0);
    assert.equal(head.fields[0]?.value, "\xa0caf\xe9\xa0");
  });

  const refused: { name: string; head: string; fault?: HttpSyntaxFault }[] = [
    { name: "an empty head", head: "" },
    { name: "no target", head: "GET HTTP/1.1" },
    { name: "two spaces", head: "GET  / HTTP/1.1" },
    { name: "a space in the target", head: "GET /a b HTTP/1.1" },
    { name: "a tab in the target", head: "GET /a\tb HTTP/1.1" },
    { name: "a fragment", head: "GET /a#b HTTP/1.1" },
    { name: "a method that is no token", head: "G(T / HTTP/1.1" },
    { name: "HTTP/2.0", head: "GET / HTTP/2.0", fault: "unsupported_version" },
    { name: "HTTP/1.2", head: "GET / HTTP/1.2", fault: "unsupported_version" },
    { name: "HTTP/0.9", head: "GET /" },
    { name: "a lower-case protocol", head: "GET / http/1.1" },
    { name: "a space before the colon", head: "GET / HTTP/1.1\r\nHost : x" },
    { name: "a tab before the colon", head: "GET / HTTP/1.1\r\nHost\t: x" },
    { name: "a folded line", head: "GET / HTTP/1.1\r\nX: a\r\n b" },
    { name: "a first line that is folded", head: "GET / HTTP/1.1\r\n X: a" },
    { name: "a bare LF in a value", head: "GET / HTTP/1.1\r\nX: a\nY: b" },
    { name: "a bare CR in a value", head: "GET / HTTP/1.1\r\nX: a\rY: b" },
    { name: "a NUL", head: "GET / HTTP/1.1\r\nX: a\0b" },
    { name: "another control byte", head: "GET / HTTP/1.1\r\nX: a\x01b" },
    { name: "DEL", head: "GET / HTTP/1.1\r\nX: a\x7fb" },
    { name: "no colon", head: "GET / HTTP/1.1\r\nHost x" },
    { name: "an empty name", head: "GET / HTTP/1.1\r\n: x" },
    { name: "a name above 127", head: "GET / HTTP/1.1\r\nX\xe9: x" },
    { name: "an empty line", head: "GET / HTTP/1.1\r\n\r\nX: y" },
    {
      name: "too many fields",
      head: `GET / HTTP/1.1${"\r\nX: y".repeat(serviceLimits.httpFieldsMax + 1)}`,
      fault: "too_large",
    },
  ];
  for (const { name, head, fault = "malformed" } of refused) {
    test(`refuses ${name}`, () => {
      assert.throws(
        () => parse(head),
        (error: unknown) => error instanceof HttpSyntaxError && error.fault === fault,
      );
    });
  }

  test("accepts as many fields as the limit allows", () => {
    const head = parse(`GET / HTTP/1.1${"\r\nX: y".repeat(serviceLimits.httpFieldsMax)}`);
    assert.equal(head.fields.length, serviceLimits.httpFieldsMax);
  });

  test("throws only HttpSyntaxError, whatever arrives", () => {
    const random = createSeededRandom(7);
    const seed = Buffer.from(
      "POST /x HTTP/1.1\r\nHost: a.b\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\nX: y",
    );
    for (let round = 0; round < 5000; round += 1) {
      const bytes = round % 2 === 0 ? random.bytes(random.below(80)) : Buffer.from(seed);
      if (round % 2 === 1) {
        for (let change = random.below(4); change >= 0; change -= 1) {
          bytes[random.below(bytes.length)] = random.below(256);
        }
      }
      try {
        const head = parseRequestHead(bytes);
        for (const { name, value } of head.fields) {
          assert.doesNotMatch(name + value, /[\0\r\n]/);
        }
        requestFraming(head);
      } catch (error) {
        assert.ok(error instanceof HttpSyntaxError, String(error));
      }
    }
  });
});
