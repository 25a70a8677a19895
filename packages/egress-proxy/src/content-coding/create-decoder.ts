import type { Transform } from "node:stream";
import * as zlib from "node:zlib";
import { brotliWindowLog, brotliWindowLogMax } from "./brotli-window.ts";

/** A compression that can be undone here. */
export type Compression = "gzip" | "deflate" | "br" | "zstd";

/** A decoder with the number of bytes that it has consumed; bytes after its end do not count. */
export type Decoder = Transform & { readonly bytesWritten: number };

/** Largest window of zstd as a content coding, as a power of two (RFC 9659): a decoder keeps this much in memory. */
export const codingWindowLogMax = 23;

/** Creates a decoder for a body that begins with these bytes. */
export function createDecoder(
  compression: Compression,
  first: Buffer,
  options: { readonly zstdWindowLogMax?: number } = {},
): Decoder {
  switch (compression) {
    case "gzip":
      return zlib.createGunzip();
    case "br":
      return zlib.createBrotliDecompress();
    case "deflate":
      // Some servers send raw deflate under this name; the zlib header distinguishes them (RFC 1950 §2.2).
      return ((first[0] ?? 0) & 0x0f) === 8 ? zlib.createInflate() : zlib.createInflateRaw();
    case "zstd": {
      if (!canDecodeZstd()) throw new Error("zstd was accepted although Node lacks it");
      const { zstdWindowLogMax } = options;
      if (zstdWindowLogMax === undefined) return zlib.createZstdDecompress();
      return zlib.createZstdDecompress({
        params: { [zlib.constants.ZSTD_d_windowLogMax]: zstdWindowLogMax },
      });
    }
  }
}

/** Whether Node has zstd: it does not before 22.15. */
export function canDecodeZstd(): boolean {
  return "createZstdDecompress" in zlib && typeof zlib.createZstdDecompress === "function";
}

/**
 * Brotli's prefix codes: of literals, commands and distances at most 256 each (RFC 7932
 * §9.2), which the decoder expands to tables of 630, 1,080 and 920 entries of 4 bytes.
 */
const brotliTableBytesMax = 3 * 1024 * 1024;

/** Memory that a decoder takes at most: its window, which the sender chooses, and Brotli's tables. */
export const decoderBytesMax: Readonly<Record<Compression, number>> = {
  gzip: 64 * 1024,
  deflate: 64 * 1024,
  br: 2 ** brotliWindowLogMax + brotliTableBytesMax,
  zstd: 2 ** codingWindowLogMax,
};

/**
 * Returns the memory that the decoders of a body take at most. Brotli states its window
 * at the beginning, which shows where it was applied last; a later frame of zstd may
 * have a larger window than the first one.
 *
 * @param compressions In the order in which they were applied.
 */
export function decoderBytesMaxOf(compressions: readonly Compression[], beginning: Buffer): number {
  const windowLog = compressions.at(-1) === "br" ? brotliWindowLog(beginning) : undefined;
  const unusedBytes = windowLog === undefined ? 0 : 2 ** brotliWindowLogMax - 2 ** windowLog;
  return compressions.reduce(
    (sum, compression) => sum + decoderBytesMax[compression],
    -unusedBytes,
  );
}
