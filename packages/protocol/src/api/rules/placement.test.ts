import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { normalizePlacement, PlacementError, parsePlacement } from "./placement.ts";

describe("parsePlacement", () => {
  const accepted = [
    ["header", { kind: "header", fieldName: undefined }],
    ["header:X-Api-Key", { kind: "header", fieldName: "x-api-key" }],
    ["body", { kind: "body", field: undefined }],
    ["body:client_secret", { kind: "body", field: "client_secret" }],
    ["body:/auth/key~1x", { kind: "body", field: "/auth/key~1x" }],
    ["body:a:b", { kind: "body", field: "a:b" }],
    ["query", { kind: "query" }],
    ["path", { kind: "path" }],
  ] as const;
  for (const [text, placement] of accepted) {
    test(`accepts ${text}`, () => assert.deepEqual(parsePlacement(text), placement));
  }

  const refused = [
    "",
    "Header",
    "headers",
    "header:",
    "header:a b",
    "header:x\r\ny",
    "body:",
    "body:/a~2",
    "body:\n",
    `body:${"x".repeat(257)}`,
    "query:",
    "query:key",
    "path:x",
    "cookie",
    "__proto__",
  ];
  for (const text of refused) {
    test(`refuses ${JSON.stringify(text.slice(0, 20))}`, () => {
      assert.throws(() => parsePlacement(text), PlacementError);
    });
  }
});

test("an error quotes no more than the beginning of a long text", () => {
  assert.throws(
    () => parsePlacement("x".repeat(100_000)),
    (error) => error instanceof PlacementError && error.message.length < 400,
  );
});

test("normalizePlacement writes header names in lower case and is idempotent", () => {
  assert.equal(normalizePlacement("header:X-API-Key"), "header:x-api-key");
  assert.equal(normalizePlacement("header:x-api-key"), "header:x-api-key");
  assert.equal(normalizePlacement("body:Client_Secret"), "body:Client_Secret");
});
