import { pipeline, Readable, type Transform } from "node:stream";
import * as zlib from "node:zlib";
import { fieldValues, listMembers } from "../http1/fields.ts";
import type { ResponseHead } from "../http1/response-head.ts";
import { Refusal } from "./refusal.ts";

/** Gives the data of a body part by part; null at its end. */
export interface BodySource {
  read(): Promise<readonly Buffer[] | null>;
}

export type ContentCoding = "gzip" | "deflate" | "br" | "zstd";

/**
 * The coding to undo so that values can be seen; undefined when the body is plain.
 *
 * @throws {Refusal} 502 for a coding that cannot be undone here: the response
 * could hide a value. The upstream's word for it is not repeated.
 */
export function contentCodingOf(head: ResponseHead, host: string): ContentCoding | undefined {
  const values = fieldValues(head.fields, "content-encoding");
  if (values.length === 0) return undefined;
  const codings = listMembers(values).filter((coding) => coding !== "identity");
  const [coding] = codings;
  if (coding === undefined) return undefined;
  if (codings.length === 1) {
    if (coding === "gzip" || coding === "x-gzip") return "gzip";
    if (coding === "deflate" || coding === "br") return coding;
    if (coding === "zstd" && zstdDecompress() !== undefined) return coding;
  }
  throw new Refusal(
    "content_coding_not_supported",
    `${host} responded in a content coding that cannot be undone here, although none was asked for; it cannot be searched for secret values and is not passed on`,
    { wasAllowed: true },
  );
}

/**
 * The body, decoded as it is read. What is decoded waits for its reader, so a
 * body that grows a thousandfold costs no more memory than another.
 *
 * Its `read` throws what the body's does, and a {@link Refusal} for a body
 * that is not in its coding.
 */
export function decodedBody(body: BodySource, coding: ContentCoding, host: string): BodySource {
  let iterator: AsyncIterator<Buffer> | undefined;
  return {
    async read() {
      iterator ??= decode(body, coding, host);
      const next = await iterator.next();
      return next.done === true ? null : [next.value];
    },
  };
}

async function* decode(
  body: BodySource,
  coding: ContentCoding,
  host: string,
): AsyncGenerator<Buffer> {
  const first = await firstPart(body);
  if (first === null) return;
  const decoder = createDecoder(coding, first);
  let failure: unknown;
  pipeline(Readable.from(partsOf(first, body), { highWaterMark: 1 }), decoder, (error) => {
    failure = error ?? undefined;
  });
  try {
    for await (const chunk of decoder) yield chunk;
  } catch (error) {
    const cause = failure ?? error;
    if (!isDecodingError(cause)) throw cause;
    throw new Refusal(
      "content_coding_invalid",
      `${host} responded with a body that is not valid ${coding}, which its Content-Encoding says it is; it is not passed on`,
      { wasAllowed: true, cause },
    );
  } finally {
    decoder.destroy();
  }
}

/** zlib's own errors, as far as they speak of the data. */
function isDecodingError(error: unknown): boolean {
  return (
    error instanceof Error &&
    "code" in error &&
    typeof error.code === "string" &&
    /^(?:Z_|ERR__ERROR_|ERR_BROTLI|ZSTD_|ERR_ZSTD)/.test(error.code)
  );
}

async function firstPart(body: BodySource): Promise<Buffer | null> {
  for (;;) {
    const data = await body.read();
    if (data === null) return null;
    const joined = Buffer.concat(data);
    if (joined.length > 0) return joined;
  }
}

async function* partsOf(first: Buffer, body: BodySource): AsyncGenerator<Buffer> {
  yield first;
  for (;;) {
    const data = await body.read();
    if (data === null) return;
    yield* data;
  }
}

/** A decoder that counts the bytes that it has taken; none are those after its end. */
export type Decoder = Transform & { readonly bytesWritten: number };

/** A decoder for a body that begins with these bytes. */
export function createDecoder(coding: ContentCoding, first: Buffer): Decoder {
  switch (coding) {
    case "gzip":
      return zlib.createGunzip();
    case "br":
      return zlib.createBrotliDecompress();
    case "deflate":
      // Some servers send raw deflate under this name; the zlib header tells (RFC 1950 §2.2).
      return ((first[0] ?? 0) & 0x0f) === 8 ? zlib.createInflate() : zlib.createInflateRaw();
    case "zstd": {
      const create = zstdDecompress();
      if (create === undefined) throw new Error("zstd was accepted although Node lacks it");
      return create();
    }
  }
}

/** zstd came to node:zlib in 22.15; undefined before that. */
export function zstdDecompress(): (() => Decoder) | undefined {
  return "createZstdDecompress" in zlib && typeof zlib.createZstdDecompress === "function"
    ? (zlib.createZstdDecompress as () => Decoder)
    : undefined;
}
