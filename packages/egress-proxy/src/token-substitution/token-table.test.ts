import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { inspect } from "node:util";
import { policyOf, secretOf, tokenOf } from "../testing/http-policy.ts";
import type { Scheme } from "../upstream/destination.ts";

const { tokens } = policyOf([
  secretOf("ANYWHERE", "a", "value-a"),
  secretOf("LIMITED", "b", "value-b", ["api.example.com"], ["header:x-key", "query", "path"]),
  secretOf("MEMBER", "c", "value-c", ["api.example.com"], ["body:client_secret", "body:/a/b"]),
  secretOf("BOTH", "d", "value-d", ["api.example.com"], ["body:x", "body"]),
]);

function placementsAt(scheme: Scheme, host: string, digit: string) {
  const entry = tokens.forDestination({ scheme, host }).entries.get(tokenOf(digit));
  assert.ok(entry !== undefined);
  const { placements } = entry;
  return {
    places: [
      ...["authorization", "x-key", "user-agent"].filter((name) => placements.header(name)),
      ...(["body", "query", "path"] as const).filter((place) => placements[place]),
    ],
    members: placements.bodyFields,
  };
}

describe("TokenTables", () => {
  const everywhere = { places: ["authorization", "x-key", "body"], members: [] };
  const limited = { places: ["x-key", "query", "path"], members: [] };
  const none = { places: [], members: [] };
  const cases: [Scheme, string, string, { places: string[]; members: string[] }][] = [
    ["https", "api.example.com", "a", everywhere],
    ["https", "other.example", "a", everywhere],
    ["http", "api.example.com", "a", none],
    ["https", "api.example.com", "b", limited],
    ["https", "other.example", "b", none],
    ["https", "api.example.com", "c", { places: [], members: ["client_secret", "/a/b"] }],
    ["https", "api.example.com", "d", { places: ["body"], members: [] }],
  ];
  for (const [scheme, host, digit, expected] of cases) {
    test(`token ${digit} has only its placements at ${scheme}://${host}`, () => {
      assert.deepEqual(placementsAt(scheme, host, digit), expected);
    });
  }

  test("know every token of the session, usable or not", () => {
    assert.equal(tokens.forDestination({ scheme: "http", host: "x.example" }).entries.size, 4);
  });

  test("state whether bodies may change at a destination", () => {
    const { tokens: narrow } = policyOf([
      secretOf("MEMBER", "a", "v", ["one.example"], ["body:k"]),
      secretOf("BODY", "b", "v", ["two.example"], ["body"]),
    ]);
    const at = (host: string) => {
      const { changesBodies, bodyFields } = narrow.forDestination({ scheme: "https", host });
      return { changesBodies, bodyFields };
    };
    assert.deepEqual(at("one.example"), { changesBodies: false, bodyFields: ["k"] });
    assert.deepEqual(at("two.example"), { changesBodies: true, bodyFields: [] });
    assert.deepEqual(at("three.example"), { changesBodies: false, bodyFields: [] });
  });

  test("make a table once for a destination, and entries once for a policy", () => {
    const one = tokens.forDestination({ scheme: "https", host: "one.example" });
    assert.equal(tokens.forDestination({ scheme: "https", host: "one.example" }), one);
    const two = tokens.forDestination({ scheme: "https", host: "two.example" });
    assert.equal(two.entries.get(tokenOf("a")), one.entries.get(tokenOf("a")));
  });

  test("are printed without values", () => {
    const table = tokens.forDestination({ scheme: "https", host: "api.example.com" });
    for (const entry of table.entries.values()) entry.bodyBytes("raw");
    assert.doesNotMatch(inspect({ tokens, table }, { depth: 9, showHidden: true }), /value-/);
    assert.doesNotMatch(JSON.stringify([tokens, [...table.entries]]), /value-/);
  });
});
