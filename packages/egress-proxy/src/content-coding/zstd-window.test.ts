import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { constants, zstdCompressSync } from "node:zlib";
import { createSeededRandom } from "../testing/seeded-random.ts";
import { zstdWindowLog } from "./zstd-window.ts";

const noise = createSeededRandom(8878).bytes(3 * 1024 * 1024);

describe("zstdWindowLog", () => {
  for (const windowLog of [17, 20, 21]) {
    test(`is ${windowLog} of a stream that was compressed with it`, () => {
      const params = { [constants.ZSTD_c_windowLog]: windowLog };
      const compressed = zstdCompressSync(noise.subarray(0, 2 ** 20 + 1), {
        params: { ...params, [constants.ZSTD_c_contentSizeFlag]: 0 },
      });
      assert.equal(zstdWindowLog(compressed), windowLog);
    });
  }

  for (const [bytes, expected] of [
    [100, 10],
    [1024, 10],
    [1025, 11],
    [70_000, 17],
    [noise.length, 21],
  ] as const) {
    test(`is at least ${expected} of ${bytes} bytes whose size is stated`, () => {
      const log = zstdWindowLog(zstdCompressSync(noise.subarray(0, bytes))) ?? 0;
      assert.ok(log >= expected, String(log));
    });
  }

  test("is not known of other data, and of less than a header", () => {
    const compressed = zstdCompressSync(noise.subarray(0, 100));
    assert.equal(zstdWindowLog(compressed.subarray(0, 17)), undefined);
    const skippable = Buffer.alloc(40);
    skippable.writeUInt32LE(0x184d2a50);
    assert.equal(zstdWindowLog(skippable), undefined);
  });

  test("never throws, whatever the header has", () => {
    const random = createSeededRandom(1);
    for (let round = 0; round < 2000; round += 1) {
      const bytes = Buffer.from(random.bytes(18 + random.below(4)));
      bytes.writeUInt32LE(0xfd2fb528);
      const log = zstdWindowLog(bytes);
      assert.ok(log !== undefined && log >= 10 && log <= 64, String(log));
    }
  });
});
