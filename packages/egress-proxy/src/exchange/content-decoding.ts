import { pipeline, Readable, type Transform } from "node:stream";
import * as zlib from "node:zlib";
import type { BodyReader } from "../http1/body-reader.ts";
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
 * @throws {Refusal} 502 for a coding that cannot be undone here: the answer
 * could hide a value
 */
export function contentCodingOf(head: ResponseHead, host: string): ContentCoding | undefined {
  const codings = listMembers(fieldValues(head.fields, "content-encoding")).filter(
    (coding) => coding !== "identity",
  );
  const [coding] = codings;
  if (coding === undefined) return undefined;
  if (codings.length === 1) {
    if (coding === "gzip" || coding === "x-gzip") return "gzip";
    if (coding === "deflate" || coding === "br") return coding;
    if (coding === "zstd" && zstdDecompress() !== undefined) return coding;
  }
  throw new Refusal(
    "content_coding_not_supported",
    `${host} answered in the content coding ${JSON.stringify(codings.join(", "))}, although only plain answers were asked for; it cannot be searched for secret values and is not passed on`,
    { wasAllowed: true },
  );
}

/**
 * The body, decoded as it is read. What is decoded waits for its reader, so a
 * body that grows a thousandfold costs no more memory than another.
 */
export function decodedBody(body: BodyReader, coding: ContentCoding): BodySource {
  let iterator: AsyncIterator<Buffer> | undefined;
  return {
    async read() {
      iterator ??= decode(body, coding);
      const next = await iterator.next();
      return next.done === true ? null : [next.value];
    },
  };
}

async function* decode(body: BodyReader, coding: ContentCoding): AsyncGenerator<Buffer> {
  const first = await firstPart(body);
  if (first === null) return;
  const decoder = makeDecoder(coding, first);
  let failure: unknown;
  pipeline(Readable.from(partsOf(first, body), { highWaterMark: 1 }), decoder, (error) => {
    failure = error ?? undefined;
  });
  try {
    for await (const chunk of decoder) yield chunk;
  } catch (error) {
    throw failure ?? error;
  } finally {
    decoder.destroy();
  }
}

async function firstPart(body: BodyReader): Promise<Buffer | null> {
  for (;;) {
    const data = await body.read();
    if (data === null) return null;
    const joined = Buffer.concat(data);
    if (joined.length > 0) return joined;
  }
}

async function* partsOf(first: Buffer, body: BodyReader): AsyncGenerator<Buffer> {
  yield first;
  for (;;) {
    const data = await body.read();
    if (data === null) return;
    yield* data;
  }
}

function makeDecoder(coding: ContentCoding, first: Buffer): Transform {
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
function zstdDecompress(): (() => Transform) | undefined {
  return "createZstdDecompress" in zlib && typeof zlib.createZstdDecompress === "function"
    ? (zlib.createZstdDecompress as () => Transform)
    : undefined;
}
