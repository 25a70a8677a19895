import assert from "node:assert/strict";
import { test } from "node:test";
import { hasAtMostJsonValues } from "./json-values.ts";

const texts: readonly [string, number][] = [
  ["1", 1],
  ['"[{,"', 1],
  ['"\\"[{,"', 1],
  ['"\\\\"', 1],
  ['["\\\\",1]', 3],
  ["[]", 2],
  ["[1,2]", 3],
  ['{"a":[1],"b":{}}', 5],
  ["{},{},{}", 6],
  ["[[[[", 5],
];
for (const [text, count] of texts) {
  test(`hasAtMostJsonValues: ${text} has ${count}`, () => {
    assert.equal(hasAtMostJsonValues(text, count), true);
    if (count > 1) assert.equal(hasAtMostJsonValues(text, count - 1), false);
  });
}

test("hasAtMostJsonValues: a string without end hides nothing that a parser would read", () => {
  assert.equal(hasAtMostJsonValues('["a","', 3), true);
  assert.equal(hasAtMostJsonValues('["a","', 2), false);
});
