import { isUtf8 } from "node:buffer";
import { percentDecoded } from "./token-value.ts";

/** The bytes of one member's string, without its quotes, and the placements' names for it. */
export interface MemberRange {
  readonly start: number;
  readonly end: number;
  readonly fields: readonly string[];
}

/**
 * Matches what servers read differently in a form: control characters, `;`, which
 * some treat as `&`, and a `%` that begins no escape.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are the doubtful ones
const doubtful = /[\x00-\x1f\x7f;]|%(?![0-9a-fA-F]{2})/;
/** More than any form that people fill in has. */
const fieldsMax = 10_000;
const byteOrderMark = "\xef\xbb\xbf";

/**
 * Finds the values of fields of these names in a form
 * (application/x-www-form-urlencoded). Undefined when servers could read the
 * form differently, as when a field of such a name is repeated, or when it has
 * more than 10,000 fields.
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
