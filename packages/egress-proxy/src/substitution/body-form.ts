/**
 * How a value is written into a body.
 *
 * - `json`: escaped as the inside of a JSON string, so that the document stays valid
 * - `form`: percent-encoded (application/x-www-form-urlencoded)
 * - `raw`: as it is
 */
export type BodyForm = "json" | "form" | "raw";

/** Encodings in which an ASCII byte always stands for its ASCII character. */
const asciiCharsets = new Set(["utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "latin1"]);
const charsetPattern = /;\s*charset\s*=\s*"?([^\s";]*)/gi;
const jsonTypes = /^application\/(?:[^ ]+\+)?json(?:-seq|lines)?$|^application\/x-ndjson$/;

/**
 * The form that a body with these `Content-Type` fields asks for. Undefined
 * when no value may be written into it: the type is given twice, or the
 * charset lets a byte before a value swallow the value's first one, so that
 * the rest would come back unrecognised.
 */
export function bodyFormFor(contentTypes: readonly string[]): BodyForm | undefined {
  const [contentType = ""] = contentTypes;
  if (contentTypes.length > 1) return undefined;
  for (const [, charset] of contentType.matchAll(charsetPattern)) {
    if (!asciiCharsets.has((charset ?? "").toLowerCase())) return undefined;
  }
  const mediaType = contentType.split(";", 1)[0]?.trim().toLowerCase() ?? "";
  if (mediaType === "application/x-www-form-urlencoded") return "form";
  return jsonTypes.test(mediaType) ? "json" : "raw";
}

export function writeInForm(value: string, form: BodyForm): string {
  if (form === "json") return JSON.stringify(value).slice(1, -1);
  return form === "form" ? percentEncoded(value) : value;
}

/** UTF-8 with every byte escaped but the unreserved characters of RFC 3986 §2.3. */
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
