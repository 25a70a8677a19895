import { mediaTypeOf, type StatedCharset, statedCharsets } from "../http/media-type.ts";

/**
 * How a value is written into a body.
 *
 * - `json`: escaped as the inside of a JSON string, so that the document stays valid
 * - `form`: percent-encoded (application/x-www-form-urlencoded)
 * - `multipart`: as it is, in a body of parts with heads of their own
 * - `utf8`: as it is, in text that is UTF-8 by its protocol
 * - `raw`: as it is
 */
export type BodyForm = "json" | "form" | "multipart" | "utf8" | "raw";

/** Encodings in which an ASCII byte is always its ASCII character. */
const asciiCharsetPattern =
  /^(?:utf-?8|(?:us-)?ascii|latin-?\d{1,2}|iso-?8859-\d{1,2}|(?:windows-|cp)125\d)$/i;
const jsonTypes = /^application\/(?:[^ ]+\+)?json(?:-seq|lines)?$|^application\/x-ndjson$/;

/**
 * Returns how values are written into a body with these `Content-Type` fields.
 * Undefined when none may be: the type is given twice, or in a charset that its
 * recipient may read there a byte before a value could absorb the value's first
 * byte, so that the rest would come back unrecognised; or the body is messages
 * of gRPC, which have lengths in them.
 */
export function bodyFormFor(contentTypes: readonly string[]): BodyForm | undefined {
  const [contentType = ""] = contentTypes;
  const mediaType = mediaTypeOf(contentType);
  if (contentTypes.length > 1 || mediaType.includes(",")) return undefined;
  if (!statedCharsets(contentType).every(isCertainlyAscii)) return undefined;
  if (mediaType.startsWith("application/grpc")) return undefined;
  if (mediaType === "application/x-www-form-urlencoded") return "form";
  if (mediaType.startsWith("multipart/")) return "multipart";
  return jsonTypes.test(mediaType) ? "json" : "raw";
}

/** The sender may have chosen a spelling in which its recipient reads another charset. */
function isCertainlyAscii({ name, isCertain }: StatedCharset): boolean {
  return isCertain && name !== undefined && isAsciiCharset(name);
}

/** Whether every ASCII byte is its ASCII character in the charset of this name. */
export function isAsciiCharset(name: string): boolean {
  return asciiCharsetPattern.test(name);
}

const textTypes =
  /^text\/|^application\/(?:graphql|javascript|sql|toml|x-sh|xml|yaml|x-yaml|[^ ]+\+(?:xml|yaml))$/;

/**
 * Whether a body of this type is written by a program for a program, rather than
 * a file that is uploaded: JSON, a form, XML or other text. A body that names no
 * type is a file.
 */
export function isText(contentTypes: readonly string[]): boolean {
  const form = bodyFormFor(contentTypes);
  return form === "json" || form === "form" || textTypes.test(mediaTypeOf(contentTypes[0] ?? ""));
}

export function writeInForm(value: string, form: BodyForm): string {
  if (form === "json") return JSON.stringify(value).slice(1, -1);
  return form === "form" ? percentEncoded(value) : value;
}

/** Percent-encodes all of a text's UTF-8 but the unreserved characters of RFC 3986 §2.3. */
export function percentEncoded(value: string): string {
  return encodeURIComponent(wellFormed(value)).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** Lone surrogates become U+FFFD, as they do in UTF-8; URI functions refuse them. */
function wellFormed(value: string): string {
  return Buffer.from(value, "utf8").toString("utf8");
}
