import type { Segment } from "./escaped-segments.ts";
import { escapedSegments } from "./escaped-segments.ts";
import {
  backslashSyntax,
  decodedPlaces,
  type EscapeSyntax,
  entitySyntax,
  escapedPlaces,
  escapeLengthMask,
  lengthBits,
  percentSyntax,
  readEscaped,
  readEscapeOrByte,
  writeCodePoint,
} from "./escapes.ts";
import { holdsControl, holdsZeroByte, type Places, type View } from "./view.ts";

/** Every kind of escape that is decoded. */
export const syntaxes: readonly EscapeSyntax[] = [percentSyntax, backslashSyntax, entitySyntax];

const syntaxOf: (EscapeSyntax | undefined)[] = Array.from({ length: 256 });
for (const syntax of syntaxes) syntaxOf[syntax.introducer] = syntax;
const [percents, backslashes, ampersands] = [0x25, 0x5c, 0x26].map(
  (introducer) => introducer * 0x01010101,
) as [number, number, number];

/** Returns the segments of a text that change when escapes of any kind are decoded, as {@link escapedSegments} does. */
function allEscapedSegments(source: Uint8Array, reach: number): Segment[] {
  const all = syntaxes
    .filter(({ introducer }) => source.includes(introducer))
    .map((syntax) => escapedSegments(syntax, source, reach));
  const [only = [], ...others] = all;
  if (others.length === 0) return only;
  const merged: { from: number; to: number }[] = [];
  for (const { from, to } of all.flat().sort((a, b) => a.from - b.from)) {
    const last = merged.at(-1);
    if (last !== undefined && from <= last.to) last.to = Math.max(last.to, to);
    else merged.push({ from, to });
  }
  return merged;
}

/** Decodes the escapes of every kind in `source[from…to]` into the view. */
export function readAllEscapes(source: Uint8Array, from: number, to: number, view: View): void {
  view.ensure(to - from);
  const { bytes, unaligned: target } = view;
  const words = new DataView(source.buffer, source.byteOffset, source.length);
  const wordsEnd = to - 3;
  let length = 0;
  let at = from;
  while (at < to) {
    if (at < wordsEnd) {
      const word = words.getInt32(at, true);
      if (
        !holdsControl(word) &&
        !holdsZeroByte(word ^ percents) &&
        !holdsZeroByte(word ^ backslashes) &&
        !holdsZeroByte(word ^ ampersands)
      ) {
        target.setInt32(length, word, true);
        at += 4;
        length += 4;
        continue;
      }
    }
    const packed = readEscapeOrByte(syntaxOf[source[at] as number], source, at, to);
    length += writeCodePoint(packed >>> lengthBits, bytes, length);
    at += packed & escapeLengthMask;
  }
  view.finish(length);
}

/** Returns the positions of what {@link readAllEscapes} writes, in the source of `base`. */
export function allEscapesPlaces(
  source: Uint8Array,
  from: number,
  to: number,
  base: Places | undefined,
): Places {
  return decodedPlaces((byte) => syntaxOf[byte], source, from, to, base);
}

/** How the escapes of a text are found and decoded. */
export interface Decoding {
  /** Returns the segments that change when they are decoded, as {@link escapedSegments} does. */
  segments(source: Uint8Array, reach: number): Segment[];
  /** Decodes `source[from…to]` into the view. */
  read(source: Uint8Array, from: number, to: number, view: View): void;
  /** Returns the positions of what `read` writes, in the source of `base`. */
  places(source: Uint8Array, from: number, to: number, base: Places | undefined): Places;
}

export const allEscapes: Decoding = {
  segments: allEscapedSegments,
  read: readAllEscapes,
  places: allEscapesPlaces,
};

export const backslashEscapes: Decoding = {
  segments: (source, reach) => escapedSegments(backslashSyntax, source, reach),
  read: (source, from, to, view) => readEscaped(backslashSyntax, source, from, to, view),
  places: (source, from, to, base) => escapedPlaces(backslashSyntax, source, from, to, base),
};
