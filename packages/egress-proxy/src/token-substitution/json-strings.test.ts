import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createSeededRandom, type SeededRandom } from "../testing/seeded-random.ts";
import { findJsonStrings, type WantedMember } from "./json-strings.ts";

function wantedPath(...path: string[]): WantedMember {
  const [name, ...rest] = path;
  return name === undefined
    ? { fields: ["found"], members: new Map() }
    : { fields: [], members: new Map([[name, wantedPath(...rest)]]) };
}

/** The texts of what is found, without their quotes; undefined for a text that is in doubt. */
function found(text: string, ...path: string[]): string[] | undefined {
  const body = Buffer.from(text);
  return findJsonStrings(body, wantedPath(...path))?.map(({ start, end }) =>
    body.toString("utf8", start, end),
  );
}

describe("findJsonStrings", () => {
  const cases: [string, string[], string[] | undefined][] = [
    ['{"k":"v"}', ["k"], ["v"]],
    [' {"a" : 1 , "k" : "é\\n\\u00e9" } ', ["k"], ["é\\n\\u00e9"]],
    ['{"\\u006b":"v"}', ["k"], ["v"]],
    ['{"a":{"b":["x",{"k":"v"}]}}', ["a", "b", "1", "k"], ["v"]],
    ['{"":"v"}', [""], ["v"]],
    ['{"__proto__":"v"}', ["__proto__"], ["v"]],
    ['"v"', [], ["v"]],
    ['{"k":""}', ["k"], [""]],
    ['{"a":{"k":"v"}}', ["k"], []],
    ['{"K":"v"}', ["k"], []],
    ['{"k":{"x":"v"}}', ["k"], []],
    ['{"k":5}', ["k"], []],
    ["null", ["k"], []],
    ['{"k":"v","k":"w"}', ["k"], undefined],
    ['{"k":"v","a":{"b":1,"\\u0062":2}}', ["k"], undefined],
    ['{"k":"v"}{}', ["k"], undefined],
    ['{"k":"v"', ["k"], undefined],
    ['{"k":"v",}', ["k"], undefined],
    ['{"k":"v" "a":1}', ["k"], undefined],
    ['{"k":"\n"}', ["k"], undefined],
    ['{"k":"\\x"}', ["k"], undefined],
    ['{k:"v"}', ["k"], undefined],
    ["{'k':'v'}", ["k"], undefined],
    ['{"k":"v"}//', ["k"], undefined],
    ['{"k":01}', ["k"], undefined],
    ['\ufeff{"k":"v"}', ["k"], undefined],
    ["", ["k"], undefined],
  ];
  for (const [text, path, expected] of cases) {
    test(`finds ${JSON.stringify(expected)} at /${path.join("/")} of ${JSON.stringify(text)}`, () => {
      assert.deepEqual(found(text, ...path), expected);
    });
  }

  test("accepts 64 levels, and no more", () => {
    const nested = (levels: number) => `{"k":${"[".repeat(levels - 1)}${"]".repeat(levels - 1)}}`;
    assert.deepEqual(found(nested(64), "k"), []);
    assert.equal(found(nested(65), "k"), undefined);
  });

  test("accepts a string of 1 MiB full of escapes", () => {
    const long = "\\n".repeat(512 * 1024);
    assert.equal(found(`{"k":"${long}"}`, "k")?.[0]?.length, long.length);
  });

  test("agrees with JSON.parse on which texts are JSON, and on the strings in them", () => {
    const random = createSeededRandom(41);
    for (let round = 0; round < 20_000; round += 1) {
      const document: Record<string, unknown> = { a: randomValue(random, 3), k: 'v\u{1f511}"\\\n' };
      const text = mutated(JSON.stringify(document), random);
      const parsed = parseOrUndefined(text);
      const strings = found(text, "k");
      if (strings === undefined) {
        assert.ok(parsed === undefined || JSON.stringify(parsed).length < text.length, text);
        continue;
      }
      assert.notEqual(parsed, undefined, text);
      const member = isRecord(parsed) ? parsed["k"] : undefined;
      assert.deepEqual(
        strings.map((string) => parseOrUndefined(`"${string}"`)),
        typeof member === "string" ? [member] : [],
        text,
      );
    }
  });
});

function randomValue(random: SeededRandom, depth: number): unknown {
  const kinds = depth === 0 ? 4 : 6;
  switch (random.below(kinds)) {
    case 0:
      return random.pick([0, -1.5, 1e21, 2e-7, 123456]);
    case 1:
      return random.pick([true, false, null]);
    case 2:
      return random.pick(["", "x", "\\", '"', "\u0001", "é", "\u{1f511}"]);
    case 3:
      return {};
    case 4:
      return Array.from({ length: random.below(3) }, () => randomValue(random, depth - 1));
    default:
      return Object.fromEntries(
        ["k", "a", "é"].slice(random.below(3)).map((key) => [key, randomValue(random, depth - 1)]),
      );
  }
}

/** The text with a few characters taken out, doubled or put in: mostly JSON no more. */
function mutated(text: string, random: SeededRandom): string {
  let result = text;
  for (let count = random.below(3); count > 0; count -= 1) {
    const at = random.below(result.length + 1);
    const piece = random.pick([
      "",
      '"',
      "\\",
      "{",
      "}",
      "[",
      "]",
      ",",
      ":",
      " ",
      "\n",
      "0",
      "e",
      "k",
    ]);
    result = result.slice(0, at) + piece + result.slice(at + random.below(2));
  }
  return Buffer.from(result).toString(); // Half of a surrogate pair would be no UTF-8.
}

function parseOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // No JSON is what many of the texts are meant to be.
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
