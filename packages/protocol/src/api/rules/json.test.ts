import assert from "node:assert/strict";
import { test } from "node:test";
import { parseJson } from "./json.ts";

test("parseJson: the value, and undefined for what is no JSON", () => {
  assert.deepEqual(parseJson('{"a": [1]}'), { a: [1] });
  assert.equal(parseJson("null"), null);
  for (const text of ["", "{", "undefined", "'a'", "{a: 1}"])
    assert.equal(parseJson(text), undefined);
});
