import { isUtf8 } from "node:buffer";
import type { MemberRange } from "./body-members.ts";
import { percentDecoded } from "./dot-segments.ts";

/**
 * What leaves open how a server reads a form: control characters, `;`, which
 * some take for `&`, and a `%` that begins no escape.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
const doubtful = /[\x00-\x1f\x7f;]|%(?![0-9a-fA-F]{2})/;
const byteOrderMark = "\xef\xbb\xbf";

/**
 * Finds the values of fields of these names in a form
 * (application/x-www-form-urlencoded). Undefined when the form can be read in
 * two ways: a field of such a name that stands there twice is one.
 */
export function findFormFields(
  body: Buffer,
  names: ReadonlySet<string>,
): readonly MemberRange[] | undefined {
  const text = body.toString("latin1");
  if (doubtful.test(text) || text.startsWith(byteOrderMark)) return undefined;
  const ranges: MemberRange[] = [];
  const found = new Set<string>();
  for (let start = 0; start <= text.length; ) {
    const ampersand = text.indexOf("&", start);
    const end = ampersand === -1 ? text.length : ampersand;
    const equals = text.indexOf("=", start);
    const nameEnd = equals === -1 || equals > end ? end : equals;
    const name = decodeName(text.slice(start, nameEnd));
    if (name === undefined) return undefined;
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
