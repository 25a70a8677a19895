import { entityCodePoint, hexadecimal } from "./entities.ts";
import {
  carriageReturn,
  holdsControl,
  holdsZeroByte,
  lineFeed,
  type Places,
  type View,
} from "./view.ts";

/** The syntax of one kind of escape. */
export interface EscapeSyntax {
  /** The byte with which each escape begins. */
  readonly introducer: number;
  /** Length of the longest escape; less than 32. */
  readonly bytesMax: number;
  /** The meaning of each letter after the introducer in escapes of two bytes; 0 where it has none. */
  readonly letters: Uint8Array;
  /** Returns the escape that begins at `at`, packed by {@link packEscape}; 0 when none ends before `end`. */
  read(source: Uint8Array, at: number, end: number): number;
}

/** What {@link packEscape} makes: a code point, and below it the length of the escape. */
export const lengthBits = 5;
export const escapeLengthMask = (1 << lengthBits) - 1;
const singleByte = 0x200000;
const replacementCharacter = 0xfffd;

/** Packs the length of an escape and its code point into one number, to save an object per escape. */
function packEscape(bytes: number, codePoint: number): number {
  return (codePoint << lengthBits) | bytes;
}

const noLetters = new Uint8Array(256);

/** RFC 3986, section 2.1: `%` and two hexadecimal digits are one byte. */
export const percentSyntax: EscapeSyntax = {
  introducer: 0x25,
  bytesMax: 3,
  letters: noLetters,
  read(source, at, end) {
    const value = at + 3 > end ? -1 : hexadecimal(source, at + 1, 2);
    return value === -1 ? 0 : packEscape(3, singleByte | value);
  },
};

const backslashLetters = new Uint8Array(256);
for (const [letter, meaning] of ["b\b", "f\f", "n\n", "r\r", "t\t"]) {
  backslashLetters[letter?.charCodeAt(0) ?? 0] = meaning?.charCodeAt(0) ?? 0;
}
// Shells, regular expressions, Markdown and LDAP write a backslash before punctuation. One before a line break continues the line.
for (const character of " !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~\r\n") {
  backslashLetters[character.charCodeAt(0)] = character.charCodeAt(0);
}

/**
 * The escapes of JSON (RFC 8259, section 7), and those of other languages: `\x41` and
 * `\101` for a byte, `\U00000041`, and a backslash before punctuation. A surrogate
 * without its other half reads as U+FFFD.
 */
export const backslashSyntax: EscapeSyntax = {
  introducer: 0x5c,
  bytesMax: 12,
  letters: backslashLetters,
  read(source, at, end) {
    if (at + 2 > end) return 0;
    const letter = source[at + 1] ?? 0;
    const meaning = backslashLetters[letter] ?? 0;
    if (meaning !== 0) return packEscape(2, meaning);
    if (letter !== 0x75) return readByteEscape(letter, source, at, end);
    const unit = at + 6 > end ? -1 : hexadecimal(source, at + 2, 4);
    if (unit === -1) return 0;
    if (unit < 0xd800 || unit > 0xdfff) return packEscape(6, unit);
    const isPair = source[at + 6] === 0x5c && source[at + 7] === 0x75 && at + 12 <= end;
    const low = isPair && unit < 0xdc00 ? hexadecimal(source, at + 8, 4) : -1;
    if (low < 0xdc00 || low > 0xdfff) return packEscape(6, replacementCharacter);
    return packEscape(12, 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00));
  },
};

function readByteEscape(letter: number, source: Uint8Array, at: number, end: number): number {
  if (letter === 0x78) {
    const byte = at + 4 > end ? -1 : hexadecimal(source, at + 2, 2);
    return byte === -1 ? 0 : packEscape(4, singleByte | byte);
  }
  if (letter === 0x55) {
    const point = at + 10 > end ? -1 : hexadecimal(source, at + 2, 8);
    return point < 0 || point > 0x10ffff ? 0 : packEscape(10, point);
  }
  let value = 0;
  let to = at + 1;
  while (to < end && to < at + 4 && isOctalDigit(source[to] as number)) {
    value = value * 8 + (source[to] as number) - 0x30;
    to += 1;
  }
  return to === at + 1 || value > 0xff ? 0 : packEscape(to - at, singleByte | value);
}

function isOctalDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x37;
}

const entityBytesMax = 18;
const semicolon = 0x3b;

/** Entities of HTML and XML: numeric ones with up to 7 digits, and the named ones of ASCII. */
export const entitySyntax: EscapeSyntax = {
  introducer: 0x26,
  bytesMax: entityBytesMax,
  letters: noLetters,
  read(source, at, end) {
    const last = Math.min(end, at + entityBytesMax);
    let to = at + 1;
    while (to < last && isEntityByte(source[to] as number)) to += 1;
    if (to >= last || to === at + 1 || source[to] !== semicolon) return 0;
    const codePoint = entityCodePoint(source, at + 1, to);
    return codePoint === -1 ? 0 : packEscape(to + 1 - at, codePoint);
  },
};

function isEntityByte(byte: number): boolean {
  return (
    (byte >= 0x61 && byte <= 0x7a) ||
    (byte >= 0x30 && byte <= 0x39) ||
    byte === 0x23 ||
    (byte >= 0x41 && byte <= 0x5a)
  );
}

/** The bytes with which escapes begin. */
const isIntroducer = new Uint8Array(256);
for (const { introducer } of [percentSyntax, backslashSyntax, entitySyntax]) {
  isIntroducer[introducer] = 1;
}

/**
 * Decodes `source[from…to]` into the view. Returns whether an escape stands for a character
 * with which escapes begin: what was decoded may then have escapes of its own.
 */
export function readEscaped(
  syntax: EscapeSyntax,
  source: Uint8Array,
  from: number,
  to: number,
  view: View,
): boolean {
  view.ensure(to - from);
  let makesIntroducer = 0;
  const { bytes, unaligned: target } = view;
  const { introducer, letters } = syntax;
  const introducers = introducer * 0x01010101;
  const words = new DataView(source.buffer, source.byteOffset, source.length);
  const wordsEnd = to - 3;
  let length = 0;
  let at = from;
  while (at < to) {
    if (at < wordsEnd) {
      const word = words.getInt32(at, true);
      if (!holdsControl(word) && !holdsZeroByte(word ^ introducers)) {
        target.setInt32(length, word, true);
        at += 4;
        length += 4;
        continue;
      }
    }
    const byte = source[at] as number;
    if (byte !== introducer) {
      at += 1;
      if (byte === lineFeed || byte === carriageReturn) continue;
      bytes[length] = byte;
      length += 1;
      continue;
    }
    // The most common escapes have one letter and need no call.
    const letter = at + 1 < to ? (letters[source[at + 1] as number] as number) : 0;
    if (letter !== 0) {
      at += 2;
      if (letter === lineFeed || letter === carriageReturn) continue;
      bytes[length] = letter;
      length += 1;
      makesIntroducer |= isIntroducer[letter] as number;
      continue;
    }
    const packed = syntax.read(source, at, to);
    if (packed === 0) {
      bytes[length] = byte;
      length += 1;
      at += 1;
    } else {
      const codePoint = packed >>> lengthBits;
      makesIntroducer |= isIntroducer[codePoint & 0xff] as number;
      length += writeCodePoint(codePoint, bytes, length);
      at += packed & escapeLengthMask;
    }
  }
  view.finish(length);
  return makesIntroducer !== 0;
}

/** Returns the escape of a syntax, or the byte, that begins at `at`, packed. */
export function readEscapeOrByte(
  syntax: EscapeSyntax | undefined,
  source: Uint8Array,
  at: number,
  end: number,
): number {
  return syntax?.read(source, at, end) || packEscape(1, singleByte | (source[at] as number));
}

/** Returns the positions of what {@link readEscaped} writes, in `source` or, with `base`, in the source of that. */
export function escapedPlaces(
  syntax: EscapeSyntax,
  source: Uint8Array,
  from: number,
  to: number,
  base: Places | undefined,
): Places {
  const syntaxOf = (byte: number) => (byte === syntax.introducer ? syntax : undefined);
  return decodedPlaces(syntaxOf, source, from, to, base);
}

/** The same for a text with escapes of several syntaxes: `syntaxOf` returns that of the escapes that begin with a byte. */
export function decodedPlaces(
  syntaxOf: (byte: number) => EscapeSyntax | undefined,
  source: Uint8Array,
  from: number,
  to: number,
  base: Places | undefined,
): Places {
  const starts = new Int32Array(to - from);
  const ends = new Int32Array(to - from);
  const written = new Uint8Array(4);
  let length = 0;
  for (let at = from; at < to; ) {
    const packed = readEscapeOrByte(syntaxOf(source[at] as number), source, at, to);
    const count = writeCodePoint(packed >>> lengthBits, written, 0);
    const last = at + (packed & escapeLengthMask) - 1;
    starts.fill(base === undefined ? at : (base.starts[at] as number), length, length + count);
    ends.fill(base === undefined ? last + 1 : (base.ends[last] as number), length, length + count);
    length += count;
    at = last + 1;
  }
  return { starts, ends };
}

/** Writes a code point as UTF-8 and a single byte unchanged; skips line breaks. Returns how many bytes it wrote. */
export function writeCodePoint(codePoint: number, bytes: Uint8Array, at: number): number {
  if (codePoint < 0x80 || codePoint >= singleByte) {
    const byte = codePoint & 0xff;
    if (byte === lineFeed || byte === carriageReturn) return 0;
    bytes[at] = byte;
    return 1;
  }
  if (codePoint < 0x800) {
    bytes[at] = 0xc0 | (codePoint >> 6);
    bytes[at + 1] = 0x80 | (codePoint & 0x3f);
    return 2;
  }
  if (codePoint < 0x10000) {
    bytes[at] = 0xe0 | (codePoint >> 12);
    bytes[at + 1] = 0x80 | ((codePoint >> 6) & 0x3f);
    bytes[at + 2] = 0x80 | (codePoint & 0x3f);
    return 3;
  }
  bytes[at] = 0xf0 | (codePoint >> 18);
  bytes[at + 1] = 0x80 | ((codePoint >> 12) & 0x3f);
  bytes[at + 2] = 0x80 | ((codePoint >> 6) & 0x3f);
  bytes[at + 3] = 0x80 | (codePoint & 0x3f);
  return 4;
}
