/**
 * How a value is written into a body.
 *
 * - `json`: escaped as the inside of a JSON string, so that the document stays valid
 * - `form`: percent-encoded (application/x-www-form-urlencoded)
 * - `raw`: as it is
 */
export type BodyForm = "json" | "form" | "raw";

/** The form that a body of this media type asks for. */
export function bodyFormFor(contentType: string | undefined): BodyForm {
  const mediaType = (contentType ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
  if (mediaType === "application/x-www-form-urlencoded") return "form";
  return /^application\/(?:[^ ]+\+)?json(?:-seq|lines)?$|^application\/x-ndjson$/.test(mediaType)
    ? "json"
    : "raw";
}

export function writeInForm(value: string, form: BodyForm): string {
  if (form === "json") return jsonEscaped(value);
  return form === "form" ? percentEncoded(wellFormed(value)) : value;
}

/**
 * Every form, longest first, in which an answer may well repeat a value: as
 * it is, without the white space around it, and as JSON, URLs, forms and HTML
 * write it.
 */
export function echoedForms(value: string): string[] {
  const forms = new Set<string>();
  const whole = wellFormed(value);
  for (const text of [whole, whole.trim()]) {
    forms.add(text);
    forms.add(jsonEscaped(text));
    forms.add(jsonEscaped(text).replaceAll("/", "\\/"));
    forms.add(asciiJson(text));
    forms.add(percentEncoded(text));
    forms.add(percentEncoded(text).replaceAll("%20", "+"));
    forms.add(percentEncoded(text).replace(/%../g, (octet) => octet.toLowerCase()));
    forms.add(encodeURI(text));
    forms.add(htmlEscaped(text));
  }
  return [...forms].sort((a, b) => b.length - a.length);
}

/** Lone surrogates become U+FFFD, as they do in UTF-8; URI functions refuse them. */
function wellFormed(value: string): string {
  return Buffer.from(value, "utf8").toString("utf8");
}

function jsonEscaped(value: string): string {
  return JSON.stringify(value).slice(1, -1);
}

/** JSON with every non-ASCII code unit escaped, as Python's `json` writes it. */
function asciiJson(value: string): string {
  return jsonEscaped(value).replace(
    /[\u0080-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function percentEncoded(value: string): string {
  return encodeURIComponent(value).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function htmlEscaped(value: string): string {
  return value
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
