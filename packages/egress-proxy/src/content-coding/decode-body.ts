import {
  type Compression,
  codingWindowLogMax,
  createDecoder,
  type Decoder,
} from "./create-decoder.ts";

/** A source of a body's data, part by part. */
export interface BodySource {
  /** Resolves to the next data; null at the end. */
  read(): Promise<readonly Buffer[] | null>;
}

/** Thrown for a body that is not in the coding that it is said to be in. */
export class ContentDecodingError extends Error {
  readonly compression: Compression;

  constructor(compression: Compression, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "ContentDecodingError";
    this.compression = compression;
  }
}

/** Text in several codings that is larger than this and grew by more than `growthMax` is an attempt to keep the proxy busy. */
const grownBytesFree = 64 * 1024 * 1024;
const growthMax = 250;

/**
 * Decodes a body as it is read; `compressions` are in the order in which they
 * were applied. Decoding waits for the reader, so a body that grows a
 * thousandfold takes no more memory than another.
 *
 * All of the body has to be in its coding: what comes after the end of the
 * compressed data is an error, because text that was never compressed may
 * happen to begin like a few bytes of raw deflate.
 *
 * @throws {ContentDecodingError} and what the source throws
 */
export async function* decodeBody(
  source: BodySource,
  compressions: readonly Compression[],
): AsyncGenerator<Buffer> {
  let sourceBytes = 0;
  let parts: AsyncGenerator<Buffer> = (async function* () {
    for (let data = await source.read(); data !== null; data = await source.read()) {
      for (const part of data) sourceBytes += part.length;
      yield* data;
    }
  })();
  for (const compression of compressions.toReversed()) parts = decodeOne(parts, compression);
  let decodedBytes = 0;
  for await (const part of parts) {
    decodedBytes += part.length;
    const [compression, ...others] = compressions;
    const isBounded = compression !== undefined && others.length > 0;
    if (isBounded && decodedBytes > grownBytesFree + growthMax * sourceBytes) {
      throw new ContentDecodingError(compression, "the data grows without bound");
    }
    yield part;
  }
}

async function* decodeOne(
  parts: AsyncGenerator<Buffer>,
  compression: Compression,
): AsyncGenerator<Buffer> {
  const first = await firstPart(parts);
  if (first === undefined) return;
  const decoder = createDecoder(compression, first, { zstdWindowLogMax: codingWindowLogMax });
  const feeding = new Feeding(decoder, compression === "gzip");
  const fed = feeding.feed(first, parts);
  try {
    for await (const chunk of decoder) yield chunk;
    await fed;
  } catch (error) {
    if (feeding.sourceError !== undefined) throw feeding.sourceError;
    if (!isDecodingError(error)) throw error;
    throw new ContentDecodingError(compression, `the data is not ${compression}`, { cause: error });
  } finally {
    decoder.destroy();
  }
  if (feeding.hasMore) {
    throw new ContentDecodingError(compression, "the compressed data ends before the body");
  }
}

/** Whether an error is one of zlib's about the data. */
function isDecodingError(error: unknown): boolean {
  return (
    error instanceof Error &&
    "code" in error &&
    typeof error.code === "string" &&
    /^(?:Z_|ERR__ERROR_|ERR_BROTLI|ZSTD_|ERR_ZSTD)/.test(error.code)
  );
}

async function firstPart(parts: AsyncGenerator<Buffer>): Promise<Buffer | undefined> {
  for (;;) {
    const next = await parts.next();
    if (next.done === true) return undefined;
    if (next.value.length > 0) return next.value;
  }
}

/** Writes a body to its decoder, at the decoder's pace. */
class Feeding {
  readonly #decoder: Decoder;
  readonly #mayBePadded: boolean;
  readonly #closed: Promise<void>;
  #fedBytes = 0;
  /** Whether the compressed data has ended, and zero bytes followed. */
  #isPadded = false;
  sourceError: unknown;
  /** Whether the body continues after the end of the compressed data. */
  hasMore = false;

  /** `mayBePadded`: zero bytes may follow, as they may after gzip. */
  constructor(decoder: Decoder, mayBePadded: boolean) {
    this.#decoder = decoder;
    this.#mayBePadded = mayBePadded;
    this.#closed = new Promise((resolve) => decoder.once("close", resolve));
  }

  /** Resolves at the end of the source, or once the body is known not to be compressed data alone. Never rejects. */
  async feed(first: Buffer, rest: AsyncGenerator<Buffer>): Promise<void> {
    try {
      let part = first;
      for (;;) {
        await this.#write(part);
        if (this.hasMore || this.#decoder.destroyed) return;
        const next = await rest.next();
        if (next.done === true) break;
        part = next.value;
      }
      this.#decoder.end();
    } catch (error) {
      this.sourceError = error;
      this.#decoder.destroy(error instanceof Error ? error : undefined);
    } finally {
      await rest.return(undefined);
    }
  }

  async #write(part: Buffer): Promise<void> {
    const decoder = this.#decoder;
    if (!this.#isPadded) {
      this.#fedBytes += part.length;
      // The callback of a write that fails is never called.
      await Promise.race([
        new Promise<void>((resolve) => decoder.write(part, () => resolve())),
        this.#closed,
      ]);
      if (decoder.errored !== null) return;
    }
    const after = this.#isPadded
      ? part.length
      : Math.min(part.length, this.#fedBytes - decoder.bytesWritten);
    if (after === 0) return;
    this.#isPadded = true;
    this.hasMore =
      !this.#mayBePadded || part.subarray(part.length - after).some((byte) => byte !== 0);
  }
}
