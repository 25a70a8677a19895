import assert from "node:assert/strict";
import { test } from "node:test";
import { formatDuration } from "./format-duration.ts";

test("formatDuration uses the two largest units", () => {
  const seconds = [0, 0.04, 4.25, 9.9, 9.96, 59.4, 60, 450, 3600, 11_100, 86_400, 1_040_400];
  assert.deepEqual(seconds.map(formatDuration), [
    ...["0s", "0s", "4.3s", "9.9s", "10s", "59s", "1m", "7m 30s", "1h", "3h 5m", "1d"],
    "12d 1h",
  ]);
});
