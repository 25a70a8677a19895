import { isUtf8 } from "node:buffer";
import type { MemberRange } from "./body-members.ts";
import { percentDecoded } from "./dot-segments.ts";

/**
 * What leaves open how a server reads a form: control characters, `;`, which
 * some take for `&`, and a `%` that begins no escape.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const doubtful = /[\x00-\x1f\x7f;]|%(?![0-9a-fA-F]{2})/;
/** No form that people fill in has more. */
const fieldsMax = 10_000;
const byteOrderMark = "\xef\xbb\xbf";

/**
 * Finds the values of fields of these names in a form
 * (application/x-www-form-urlencoded). Undefined when the form can be read in
 * two ways, of which a field of such a name that stands there twice is one, or
 * has more than 10,000 fields.
 */
export function findFormFields(
  body: Buffer,
  names: ReadonlySet<string>,
): readonly MemberRange[] | undefined {
  const text = body.toString("latin1");
  if (doubtful.test(text) || text.startsWith(byteOrderMark)) return undefined;
  const ranges: MemberRange[] = [];
  const found = new Set<string>();
  let count = 0;
  for (let start = 0; start <= text.length; ) {
    const ampersand = text.indexOf("&", start);
    const end = ampersand === -1 ? text.length : ampersand;
    const field = text.slice(start, end);
    const equals = field.indexOf("=");
    const nameEnd = equals === -1 ? end : start + equals;
    const name = decodeName(equals === -1 ? field : field.slice(0, equals));
    count += 1;
    if (name === undefined || count > fieldsMax) return undefined;
    if (names.has(name)) {
      if (found.has(name)) return undefined;
      found.add(name);
      ranges.push({ start: Math.min(nameEnd + 1, end), end, fields: [name] });
    }
    start = end + 1;
  }
  return ranges;
}

function decodeName(text: string): string | undefined {
  const bytes = Buffer.from(percentDecoded(text.replaceAll("+", " ")), "latin1");
  return isUtf8(bytes) ? bytes.toString("utf8") : undefined;
}
