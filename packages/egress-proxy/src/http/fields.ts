import { serviceLimits } from "@opencomputer/protocol/wire";
import { HttpSyntaxError, malformed } from "./http-syntax-error.ts";

/** One header or trailer field. Each character is one byte (latin1). */
export interface Field {
  readonly name: string;
  readonly lowerName: string;
  readonly value: string;
}

export function fieldOf(name: string, value: string): Field {
  return { name, lowerName: name.toLowerCase(), value };
}

const tokenPattern = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

const isTokenCode = new Uint8Array(256);
for (let code = 0; code < 256; code += 1) {
  isTokenCode[code] = tokenPattern.test(String.fromCharCode(code)) ? 1 : 0;
}

/**
 * Refuses bytes that no head may have: control bytes other than HTAB, and CR
 * or LF that is not part of a CRLF (RFC 9112 §2.2, RFC 9110 §5.5). It is a loop
 * because every head passes it: a regular expression takes ten times as long.
 */
export function refuseForbiddenBytes(bytes: Buffer): void {
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at] ?? 0;
    if (byte >= 0x20 && byte !== 0x7f) continue;
    if (byte === 0x09) continue;
    if (byte === 0x0d && bytes[at + 1] === 0x0a) at += 1;
    else {
      throw malformed("the head holds a control character, or a CR or LF that is not a line end");
    }
  }
}

/** Parses field lines (RFC 9112 §5). They have passed `refuseForbiddenBytes`. */
export function parseFieldLines(lines: readonly string[]): Field[] {
  if (lines.length > serviceLimits.httpFieldsMax) throw tooManyFields();
  return lines.map((line) => parseFieldLine(line, 0, line.length));
}

/**
 * Parses the field lines of a head from `start` on, without its final empty
 * line. They have passed `refuseForbiddenBytes`.
 */
export function parseFields(head: string, start: number): Field[] {
  const fields: Field[] = [];
  for (let at = start; at < head.length; ) {
    if (fields.length >= serviceLimits.httpFieldsMax) throw tooManyFields();
    const end = lineEnd(head, at);
    fields.push(parseFieldLine(head, at, end));
    at = end + lineBreakLength;
    if (at === head.length) throw notAField();
  }
  return fields;
}

const lineBreakLength = 2;

/** Returns where the line that begins at `from` ends; the next one begins two characters later. */
export function lineEnd(head: string, from: number): number {
  const end = head.indexOf("\r\n", from);
  return end === -1 ? head.length : end;
}

export function isToken(text: string): boolean {
  return tokenPattern.test(text);
}

/** How long the lines of these fields are. */
export function fieldBytes(fields: readonly Field[]): number {
  let bytes = 0;
  for (const { name, value } of fields) bytes += name.length + value.length + ": \r\n".length;
  return bytes;
}

/** The values of every field of this lower-case name, in order. */
export function fieldValues(fields: readonly Field[], lowerName: string): readonly string[] {
  let values: string[] | undefined;
  for (const field of fields) {
    if (field.lowerName !== lowerName) continue;
    if (values === undefined) values = [field.value];
    else values.push(field.value);
  }
  return values ?? noValues;
}

const noValues: readonly string[] = [];

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

/** The field of the line `text[start…end]`. A loop over its name takes less time than a regular expression. */
function parseFieldLine(text: string, start: number, end: number): Field {
  let colon = start;
  while (colon < end && isTokenCode[text.charCodeAt(colon)] === 1) colon += 1;
  if (colon === start || colon === end || text.charCodeAt(colon) !== colonCode) {
    throw malformedLine(text.slice(start, end));
  }
  const name = text.slice(start, colon);
  return { name, lowerName: name.toLowerCase(), value: trimmed(text, colon + 1, end) };
}

const colonCode = 0x3a;

function malformedLine(line: string): HttpSyntaxError {
  if (line.indexOf(":") <= 0) return notAField();
  return malformed(
    line.startsWith(" ") || line.startsWith("\t")
      ? "a header line is folded, which HTTP no longer allows"
      : "a header name has characters other than those of a token (such as a space before the colon)",
  );
}

function notAField(): HttpSyntaxError {
  return malformed("a header line is not of the form name: value");
}

function tooManyFields(): HttpSyntaxError {
  return new HttpSyntaxError("too_large", `more than ${serviceLimits.httpFieldsMax} header fields`);
}

/** Without SP and HTAB at both ends. */
export function trimWhitespace(text: string): string {
  return trimmed(text, 0, text.length);
}

/** `text[start…end]` without SP and HTAB at both ends, and no other character (RFC 9110 §5.6.3). */
function trimmed(text: string, start: number, end: number): string {
  let from = start;
  let to = end;
  while (from < to && isWhitespace(text.charCodeAt(from))) from += 1;
  while (to > from && isWhitespace(text.charCodeAt(to - 1))) to -= 1;
  return text.slice(from, to);
}

function isWhitespace(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
