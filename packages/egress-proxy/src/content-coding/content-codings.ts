import { listMembers } from "../http/fields.ts";
import { type Compression, canDecodeZstd } from "./create-decoder.ts";

/** What the `Content-Encoding` fields of a message state about its body. */
export type ContentCodings =
  /** No compression. */
  | { readonly kind: "identity"; readonly hasOwnFraming: boolean }
  /** Compressed by these, in the order in which they were applied. */
  | {
      readonly kind: "compressed";
      readonly compressions: readonly Compression[];
      readonly hasOwnFraming: boolean;
    }
  /** In a coding that cannot be undone here. `name` is one of a fixed list, and never what the sender wrote. */
  | { readonly kind: "unknown"; readonly name: string | undefined };

const compressions: ReadonlyMap<string, Compression> = new Map([
  ["gzip", "gzip"],
  ["x-gzip", "gzip"],
  ["deflate", "deflate"],
  ["br", "br"],
  ["zstd", "zstd"],
]);

/**
 * Labels that servers write there although they name no compression: the bytes
 * are those of the body, and a client reads them as such.
 */
const plainLabels: ReadonlySet<string> = new Set([
  "7bit",
  "8bit",
  "amz-1.0",
  "ascii",
  "aws-chunked",
  "base64",
  "binary",
  "identity",
  "iso-8859-1",
  "latin1",
  "none",
  "null",
  "plain",
  "raw",
  "text",
  "undefined",
  "us-ascii",
  "utf-16",
  "utf-8",
  "utf8",
  "windows-1252",
]);

/** A request in chunks that state their lengths and signatures (AWS Signature Version 4). */
const framedLabel = "aws-chunked";

/** Codings that messages may name, because an error helps only if it states which one is meant. */
const namedUnknown: ReadonlySet<string> = new Set([
  "bzip2",
  "compress",
  "dcb",
  "dcz",
  "exi",
  "lz4",
  "lzma",
  "pack200-gzip",
  "snappy",
  "x-compress",
  "xz",
]);

/** More compressions of one body than this are an attempt to multiply its growth. */
const compressionsMax = 3;

/** Parses the `Content-Encoding` fields of a message (RFC 9110 §8.4). */
export function parseContentCodings(values: readonly string[]): ContentCodings {
  if (values.length === 0) return plain;
  const labels = listMembers(values);
  const found: Compression[] = [];
  for (const label of labels) {
    const compression = compressions.get(label);
    if (compression === "zstd" && !canDecodeZstd()) return { kind: "unknown", name: "zstd" };
    if (compression !== undefined) found.push(compression);
    else if (!plainLabels.has(label)) {
      return { kind: "unknown", name: namedUnknown.has(label) ? label : undefined };
    }
  }
  if (found.length > compressionsMax) return { kind: "unknown", name: undefined };
  const hasOwnFraming = labels.includes(framedLabel);
  if (found.length > 0) return { kind: "compressed", compressions: found, hasOwnFraming };
  return { kind: "identity", hasOwnFraming };
}

const plain: ContentCodings = { kind: "identity", hasOwnFraming: false };
