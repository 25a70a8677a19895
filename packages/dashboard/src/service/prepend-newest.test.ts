import assert from "node:assert/strict";
import { test } from "node:test";
import { prependNewest } from "./prepend-newest.ts";

test("prependNewest puts the newest first, and lets the oldest go", () => {
  assert.deepEqual(prependNewest([], [1, 2], 3), [2, 1]);
  assert.deepEqual(prependNewest([2, 1], [], 3), [2, 1]);
  assert.deepEqual(prependNewest([2, 1], [3, 4], 3), [4, 3, 2]);
  assert.deepEqual(prependNewest([2, 1], [3, 4, 5, 6], 3), [6, 5, 4]);
});
