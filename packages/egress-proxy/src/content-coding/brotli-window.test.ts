import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { brotliCompressSync, brotliDecompressSync, constants } from "node:zlib";
import { createSeededRandom } from "../testing/seeded-random.ts";
import { brotliWindowLog, brotliWindowLogMax } from "./brotli-window.ts";

/** Of the fastest qualities, the encoder has no smaller window than 18. */
const quality = 5;

describe("brotliWindowLog", () => {
  for (let windowLog = 10; windowLog <= brotliWindowLogMax; windowLog += 1) {
    test(`is ${windowLog} of a stream that was compressed with it`, () => {
      const compressed = brotliCompressSync("some text", {
        params: {
          [constants.BROTLI_PARAM_LGWIN]: windowLog,
          [constants.BROTLI_PARAM_QUALITY]: quality,
        },
      });
      assert.equal(brotliWindowLog(compressed), windowLog);
    });
  }

  test("is not known of no data, and of the windows that are no content coding", () => {
    assert.equal(brotliWindowLog(Buffer.alloc(0)), undefined);
    for (const first of [0x11, 0x91]) {
      const data = Buffer.from([first, 0x18, 0x03]);
      assert.equal(brotliWindowLog(data), undefined);
      assert.throws(() => brotliDecompressSync(data));
    }
  });

  test("fuzz: whatever the data is, the window is one of Brotli or not known", () => {
    const random = createSeededRandom(7932);
    const seen = new Set<number | undefined>();
    for (let round = 0; round < 5000; round += 1) {
      const log = brotliWindowLog(random.bytes(1 + random.below(4)));
      assert.ok(log === undefined || (log >= 10 && log <= brotliWindowLogMax), String(log));
      seen.add(log);
    }
    assert.equal(seen.size, 16);
  });
});
