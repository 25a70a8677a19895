import type { Transform } from "node:stream";
import * as zlib from "node:zlib";

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

/** Memory that a decoder takes at most: its window, which the sender chooses. */
export const decoderBytesMax: Readonly<Record<Compression, number>> = {
  gzip: 64 * 1024,
  deflate: 64 * 1024,
  br: 16 * 1024 * 1024,
  zstd: 2 ** codingWindowLogMax,
};
