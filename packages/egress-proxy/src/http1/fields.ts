import { limits } from "@opencomputer/protocol";
import { HttpSyntaxError, malformed } from "./http-syntax-error.ts";

/** One header or trailer field. Text stands for octets one to one (latin1). */
export interface Field {
  readonly name: string;
  readonly lowerName: string;
  readonly value: string;
}

const tokenPattern = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/**
 * Refuses octets that may stand nowhere in a head: control octets other than
 * HTAB, and CR or LF that is not part of a CRLF (RFC 9112 §2.2, RFC 9110 §5.5).
 * Every head passes through this loop: a regular expression takes ten times as long.
 */
export function refuseForbiddenOctets(octets: Buffer): void {
  for (let at = 0; at < octets.length; at += 1) {
    const octet = octets[at] ?? 0;
    if (octet >= 0x20 && octet !== 0x7f) continue;
    if (octet === 0x09) continue;
    if (octet === 0x0d && octets[at + 1] === 0x0a) at += 1;
    else {
      throw malformed("the head holds a control character, or a CR or LF that is not a line end");
    }
  }
}

/**
 * Parses field lines (RFC 9112 §5) from `lines[from]` on. The lines have
 * passed `refuseForbiddenOctets`.
 */
export function parseFieldLines(lines: readonly string[], from: number): Field[] {
  if (lines.length - from > limits.httpFieldsMax) {
    throw new HttpSyntaxError("too_large", `more than ${limits.httpFieldsMax} header fields`);
  }
  const fields: Field[] = [];
  for (let index = from; index < lines.length; index += 1)
    fields.push(parseFieldLine(lines[index]));
  return fields;
}

export function isToken(text: string): boolean {
  return tokenPattern.test(text);
}

/** The values of every field of this lower-case name, in order. */
export function fieldValues(fields: readonly Field[], lowerName: string): string[] {
  const values: string[] = [];
  for (const field of fields) if (field.lowerName === lowerName) values.push(field.value);
  return values;
}

/** The members of a comma-separated list field (RFC 9110 §5.6.1), in lower case. */
export function listMembers(values: readonly string[]): string[] {
  const members: string[] = [];
  for (const value of values) {
    for (const part of value.split(",")) {
      const member = trimWhitespace(part).toLowerCase();
      if (member !== "") members.push(member);
    }
  }
  return members;
}

function parseFieldLine(line: string | undefined): Field {
  const colon = line === undefined ? -1 : line.indexOf(":");
  if (line === undefined || colon <= 0) {
    throw malformed("a header line is not of the form name: value");
  }
  const name = line.slice(0, colon);
  if (!tokenPattern.test(name)) {
    throw malformed(
      name.startsWith(" ") || name.startsWith("\t")
        ? "a header line is folded, which HTTP no longer allows"
        : "a header name has characters other than those of a token (such as a space before the colon)",
    );
  }
  return { name, lowerName: name.toLowerCase(), value: trimWhitespace(line.slice(colon + 1)) };
}

/** Drops SP and HTAB at both ends, and no other character (RFC 9110 §5.6.3). */
function trimWhitespace(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isWhitespace(text.charCodeAt(start))) start += 1;
  while (end > start && isWhitespace(text.charCodeAt(end - 1))) end -= 1;
  return start === 0 && end === text.length ? text : text.slice(start, end);
}

function isWhitespace(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
