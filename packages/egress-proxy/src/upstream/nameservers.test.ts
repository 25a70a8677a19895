import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseNameservers } from "./nameservers.ts";

describe("parseNameservers", () => {
  const cases: [string, string[]][] = [
    ["nameserver 10.0.0.53\n", ["10.0.0.53"]],
    ["# nameserver 1.1.1.1\nsearch a b\nnameserver\t9.9.9.9 trailing\n", ["9.9.9.9"]],
    ["nameserver ::1\nnameserver 1.1.1.1\n", ["::1", "1.1.1.1"]],
    [
      "nameserver 1.1.1.1\nnameserver 2.2.2.2\nnameserver 3.3.3.3\nnameserver 4.4.4.4",
      ["1.1.1.1", "2.2.2.2", "3.3.3.3"],
    ],
    ["nameserver example.com\n", ["127.0.0.1"]],
    ["", ["127.0.0.1"]],
  ];
  for (const [text, expected] of cases) {
    test(`${JSON.stringify(text)} names ${expected.join(", ")}`, () => {
      assert.deepEqual(parseNameservers(text), expected);
    });
  }
});
