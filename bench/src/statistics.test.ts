import assert from "node:assert/strict";
import { test } from "node:test";
import { median, pairedRatios, percentile } from "./statistics.ts";

test("percentile takes the nearest rank, median the half", () => {
  const samples = [5, 1, 4, 2, 3];
  assert.equal(median(samples), 3);
  assert.equal(percentile(samples, 0.95), 5);
  assert.equal(percentile([7], 0.5), 7);
  assert.throws(() => median([]), /at least one sample/);
});

test("pairedRatios compares round by round", () => {
  assert.deepEqual(pairedRatios([1, 9], [2, 3]), [0.5, 3]);
  assert.throws(() => pairedRatios([1], [1, 2]), /as many samples of the floor/);
});
