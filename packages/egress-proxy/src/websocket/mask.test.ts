import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createSeededRandom } from "../testing/seeded-random.ts";
import { applyMask, MaskingKeys } from "./mask.ts";

describe("applyMask", () => {
  test("returns the same as masking byte by byte, at every alignment, length and phase", () => {
    const random = createSeededRandom(11);
    const memory = random.bytes(256);
    for (let from = 0; from < 9; from += 1) {
      for (let length = 0; length < 100; length += 1) {
        const phase = random.below(4);
        const key = random.bytes(4);
        const aligned = Buffer.alloc(256);
        memory.copy(aligned);
        const bytes = aligned.subarray(from, from + length);
        const expected = Buffer.from(bytes).map((byte, at) => byte ^ (key[(at + phase) % 4] ?? 0));
        applyMask(bytes, key, phase);
        assert.deepEqual([...bytes], [...expected]);
        assert.deepEqual(aligned.subarray(0, from), memory.subarray(0, from));
        assert.deepEqual(aligned.subarray(from + length), memory.subarray(from + length));
      }
    }
  });
});

describe("MaskingKeys", () => {
  test("repeats among 5,000 keys no more than by chance, and writes four bytes", () => {
    const maskingKeys = new MaskingKeys();
    const keys = new Set<number>();
    for (let round = 0; round < 5000; round += 1) {
      const target = Buffer.alloc(8);
      maskingKeys.writeNext(target, 2);
      assert.equal(target.readUInt16BE(0) + target.readUInt16BE(6), 0);
      keys.add(target.readUInt32BE(2));
    }
    assert.ok(keys.size > 4990);
  });
});
