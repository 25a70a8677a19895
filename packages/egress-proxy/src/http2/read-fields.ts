import { serviceLimits } from "@opencomputer/protocol/wire";
import { type Field, isToken } from "../http/fields.ts";
import { HttpSyntaxError, malformed } from "../http/http-syntax-error.ts";

/** The parts of a header section: pseudo-fields by name, and fields in order. */
export interface HeaderSection {
  readonly pseudo: ReadonlyMap<string, string>;
  readonly fields: readonly Field[];
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused here
const forbiddenPattern = /[\x00-\x08\x0a-\x1f\x7f]/;
/** What an entry counts beside its characters, as in a head of HTTP/1.1. */
const entryBytes = ": \r\n".length;

/**
 * Reads a header or trailer section from alternating names and values, of one
 * character a byte. The crumbs of a cookie become one field (RFC 9113 §8.2.3).
 *
 * `node:http2` refuses most of what is refused here. The checks are repeated
 * because what passes them may be written as HTTP/1.1, where a line break in a
 * value would begin another field.
 *
 * @throws {HttpSyntaxError}
 */
export function readFields(raw: readonly string[]): HeaderSection {
  const pseudo = new Map<string, string>();
  const fields: Field[] = [];
  let cookieAt = -1;
  let bytes = 0;
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at] ?? "";
    const value = raw[at + 1] ?? "";
    bytes += name.length + value.length + entryBytes;
    if (bytes > serviceLimits.httpHeadBytesMax) throw tooManyBytes();
    if (forbiddenPattern.test(value)) throw malformed("a field holds a control character");
    if (name.startsWith(":")) {
      if (pseudo.has(name)) throw malformed("a pseudo-header field is given more than once");
      pseudo.set(name, value);
      continue;
    }
    if (!isToken(name) || name !== name.toLowerCase()) {
      throw malformed("a field name is not a token in lower case");
    }
    const cookie = name === "cookie" ? fields[cookieAt] : undefined;
    if (cookie !== undefined) {
      fields[cookieAt] = { ...cookie, value: `${cookie.value}; ${value}` };
      continue;
    }
    if (name === "cookie") cookieAt = fields.length;
    fields.push({ name, lowerName: name, value });
  }
  if (fields.length > serviceLimits.httpFieldsMax) throw tooManyFields();
  return { pseudo, fields };
}

function tooManyBytes(): HttpSyntaxError {
  return new HttpSyntaxError(
    "too_large",
    `the head is larger than ${serviceLimits.httpHeadBytesMax} bytes`,
  );
}

function tooManyFields(): HttpSyntaxError {
  return new HttpSyntaxError("too_large", `more than ${serviceLimits.httpFieldsMax} header fields`);
}
