import assert from "node:assert/strict";
import { test } from "node:test";
import { formatDuration } from "./format-duration.ts";

test("formatDuration uses the two largest units", () => {
  assert.deepEqual([0, 4.26, 59, 60, 450, 11_100, 90_000].map(formatDuration), [
    ...["0 s", "4.3 s", "59 s", "1 min 0 s", "7 min 30 s", "3 h 5 min", "1 d 1 h"],
  ]);
});
