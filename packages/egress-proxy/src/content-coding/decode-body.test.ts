import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  brotliCompressSync,
  deflateRawSync,
  deflateSync,
  gzipSync,
  zstdCompressSync,
} from "node:zlib";
import { splitAtRandom } from "../testing/http-split.ts";
import { createSeededRandom, type SeededRandom } from "../testing/seeded-random.ts";
import type { Compression } from "./create-decoder.ts";
import { type BodySource, ContentDecodingError, decodeBody } from "./decode-body.ts";

const compressors: readonly (readonly [Compression, (data: Buffer) => Buffer])[] = [
  ["gzip", (data) => gzipSync(data)],
  ["deflate", (data) => deflateSync(data)],
  ["deflate", (data) => deflateRawSync(data)],
  ["br", (data) => brotliCompressSync(data)],
  ["zstd", (data) => zstdCompressSync(data)],
];

function sourceOf(parts: readonly Buffer[], error?: Error): BodySource {
  const left = [...parts];
  return {
    read: async () => {
      const part = left.shift();
      if (part === undefined && error !== undefined) throw error;
      return part === undefined ? null : [part];
    },
  };
}

async function decode(
  compressions: readonly Compression[],
  parts: readonly Buffer[],
  error?: Error,
): Promise<Buffer> {
  const decoded: Buffer[] = [];
  for await (const part of decodeBody(sourceOf(parts, error), compressions)) decoded.push(part);
  return Buffer.concat(decoded);
}

/** Text with some noise, as pages are. */
function pageOf(random: SeededRandom, length: number): Buffer {
  const page = Buffer.alloc(length, "<p>some words</p>\n");
  random.bytes(length >> 2).copy(page);
  return page;
}

describe("decodeBody", () => {
  for (const [compression, compress] of compressors) {
    test(`${compression}: returns what was compressed, however it is split`, async () => {
      const random = createSeededRandom(31);
      for (const length of [0, 1, 100, 20_000]) {
        const page = pageOf(random, length);
        for (const partMax of [3, 400, 100_000]) {
          const compressed = compress(page);
          if (compressed.length / partMax > 100) continue;
          const parts = splitAtRandom(compressed, partMax, random);
          assert.ok((await decode([compression], parts)).equals(page), `${length}, ${partMax}`);
        }
      }
    });

    test(`${compression}: refuses what comes after the compressed data, and what is cut short`, async () => {
      const compressed = compress(Buffer.from("first part of a page"));
      const wrong = [
        Buffer.concat([compressed, Buffer.from("garbage")]),
        Buffer.concat([compressed, Buffer.alloc(3), Buffer.from("garbage")]),
        compressed.subarray(0, -1),
        compressed.subarray(0, 3),
      ];
      for (const body of wrong) {
        for (const partBytes of [1, body.length]) {
          await assert.rejects(
            decode([compression], splitAtRandom(body, partBytes, createSeededRandom(1))),
            (error: unknown) =>
              error instanceof ContentDecodingError && error.compression === compression,
          );
        }
      }
    });

    test(`${compression}: passes the source's error on`, async () => {
      const lost = new Error("lost");
      const compressed = compress(Buffer.from("page")).subarray(0, -2);
      await assert.rejects(decode([compression], [compressed], lost), lost);
      await assert.rejects(decode([compression], [], lost), lost);
    });
  }

  test("undoes several codings in the reverse order", async () => {
    const page = Buffer.from("page");
    const body = brotliCompressSync(gzipSync(deflateSync(page)));
    assert.ok((await decode(["deflate", "gzip", "br"], [body])).equals(page));
    await assert.rejects(decode(["br", "gzip", "deflate"], [body]), ContentDecodingError);
  });

  test("reads gzip and zstd in several members, and gzip padded with zeros", async () => {
    for (const compress of [gzipSync, zstdCompressSync]) {
      const compression = compress === gzipSync ? "gzip" : "zstd";
      const members = Buffer.concat([compress("first, "), compress("second")]);
      for (const partBytes of [1, 1000]) {
        const parts = splitAtRandom(members, partBytes, createSeededRandom(2));
        assert.equal((await decode([compression], parts)).toString(), "first, second");
      }
    }
    const padded = [gzipSync("page"), Buffer.alloc(9), Buffer.alloc(2)];
    assert.equal((await decode(["gzip"], padded)).toString(), "page");
    assert.equal((await decode(["gzip"], [Buffer.concat(padded)])).toString(), "page");
  });

  test("refuses text that happens to be raw deflate at its beginning", async () => {
    for (const text of [
      "kkkk\0\0 and a text",
      "\x03\0 and a text",
      `\x03\0${"x".repeat(100_000)}`,
    ]) {
      await assert.rejects(decode(["deflate"], [Buffer.from(text)]), ContentDecodingError);
      const bytes = [...Buffer.from(text.slice(0, 100))].map((byte) => Buffer.from([byte]));
      await assert.rejects(decode(["deflate"], bytes), ContentDecodingError);
    }
  });

  test("refuses a zstd window that is larger than a content coding may have", async () => {
    const frame = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x80, 0x01, 0x00, 0x00]);
    await assert.rejects(decode(["zstd"], [frame]), ContentDecodingError);
    frame[5] = 0x50;
    assert.equal((await decode(["zstd"], [frame])).length, 0);
  });

  test("fuzz: a damaged body ends in text or in ContentDecodingError, and never in another way", async () => {
    const random = createSeededRandom(33);
    let failures = 0;
    for (let round = 0; round < 120; round += 1) {
      const [compression, compress] = random.pick(compressors);
      const body = Buffer.from(compress(pageOf(random, random.below(300))));
      for (let count = random.below(4); count > 0; count -= 1) {
        body[random.below(body.length)] = random.below(256);
      }
      const cut = body.subarray(0, random.below(3) === 0 ? random.below(body.length) : undefined);
      const rest = random.below(3) === 0 ? random.bytes(random.below(20)) : Buffer.alloc(0);
      const parts = splitAtRandom(Buffer.concat([cut, rest]), random.pick([5, 40, 400]), random);
      const codings =
        random.below(5) === 0 ? [random.pick(compressors)[0], compression] : [compression];
      try {
        await decode(codings, parts);
      } catch (error) {
        assert.ok(error instanceof ContentDecodingError, String(error));
        failures += 1;
      }
    }
    assert.ok(failures > 20 && failures < 120, String(failures));
  });
});
