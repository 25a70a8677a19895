import { hexadecimalDigit } from "./entities.ts";
import { base64Index } from "./needles.ts";

/**
 * The bytes that the forms of all values can have: `token` for values of only
 * letters, digits and `._~+/=:-`, `text` for all others.
 */
export type ReleaseClass = "token" | "text";

export function releaseClassOf(parts: readonly string[]): ReleaseClass {
  return parts.every((part) => /^[A-Za-z0-9._~+/=:-]*$/.test(part)) ? "token" : "text";
}

/**
 * Base64 characters in a row after which a line break may wrap base64 that
 * continues in the next line.
 */
const wrappedColumnsMin = 16;

const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const space = 0x20;

/** Bytes of a value of class `token`, of its base64 and hexadecimal, of its escapes, and of UTF-16. */
export const inTokenForms = new Uint8Array(256);
for (const character of "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~+/=:-%\\&#;\0\r\n") {
  inTokenForms[character.charCodeAt(0)] = 1;
}

/** The same within one line of a head. */
export const inTokenFormsOfLine = Uint8Array.from(inTokenForms);
inTokenFormsOfLine[carriageReturn] = 0;

/** Bytes of the escapes with which base64 characters may be written. */
const inEscapes = new Uint8Array(256);
for (const character of "%\\&#;") inEscapes[character.charCodeAt(0)] = 1;

/**
 * Returns the end of the last byte at or after `from` that no form of a value can
 * have, so that no form extends across it; -1 when there is none. In class
 * `token` that is any byte outside its alphabet, in both classes a line break
 * that does not wrap base64.
 */
export function lastRelease(bytes: Uint8Array, from: number, releaseClass: ReleaseClass): number {
  for (let at = bytes.length - 1; at >= from; at -= 1) {
    const byte = bytes[at] ?? 0;
    if (byte === lineFeed) {
      if (!wrapsBase64(bytes, at)) return at + 1;
    } else if (
      releaseClass === "token" &&
      inTokenForms[byte] === 0 &&
      !(byte === space && followsPair(bytes, at))
    ) {
      return at + 1;
    }
  }
  return -1;
}

/** Whether two hexadecimal digits stand alone before a place: the next byte may follow them in hexadecimal, too. */
function followsPair(bytes: Uint8Array, at: number): boolean {
  return (
    isHexadecimal(bytes[at - 1]) &&
    isHexadecimal(bytes[at - 2]) &&
    !/[0-9A-Za-z]/.test(String.fromCharCode(bytes[at - 3] ?? space))
  );
}

function isHexadecimal(byte: number | undefined): boolean {
  return byte !== undefined && hexadecimalDigit(byte) !== -1;
}

function wrapsBase64(bytes: Uint8Array, lineFeedAt: number): boolean {
  const lineEnd = bytes[lineFeedAt - 1] === carriageReturn ? lineFeedAt - 1 : lineFeedAt;
  const runStart = lineEnd - wrappedColumnsMin;
  if (runStart < 0) return false;
  for (let at = runStart; at < lineEnd; at += 1) {
    const byte = bytes[at] ?? 0;
    if (base64Index(byte) === undefined && inEscapes[byte] === 0) return false;
  }
  return true;
}
