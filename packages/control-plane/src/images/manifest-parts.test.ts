import assert from "node:assert/strict";
import { test } from "node:test";
import { largestPartBytes, manifestParts } from "./manifest-parts.ts";

const mebi = 1024 * 1024;
const partsOf = (...megabytes: number[]) =>
  manifestParts(megabytes.map((size, index) => ({ id: String(index), bytes: size * mebi })));
const sizesOf = (parts: ReturnType<typeof partsOf>) =>
  parts.map((part) => part.map(({ bytes }) => bytes / mebi));

test("manifestParts: in order, each of at most 4 MiB, a larger manifest alone", () => {
  assert.deepEqual(sizesOf(partsOf()), []);
  assert.deepEqual(sizesOf(partsOf(1, 1, 2, 1)), [[1, 1, 2], [1]]);
  assert.deepEqual(sizesOf(partsOf(3, 64, 1, 3)), [[3], [64], [1, 3]]);
});

test("largestPartBytes: of all parts", () => {
  assert.equal(largestPartBytes(partsOf()), 0);
  assert.equal(largestPartBytes(partsOf(1, 2, 3)), 3 * mebi);
  assert.equal(largestPartBytes(partsOf(3, 64, 1)), 64 * mebi);
});
