import { blockBytes } from "./block-digest.ts";

/**
 * A text after decoding. Every view leaves out line breaks: encoded text is
 * wrapped at any column, and values are searched for line by line.
 */
export class View {
  bytes = new Uint8Array(0);
  /** The same bytes as little-endian words. */
  words = new Int32Array(0);
  /** The same bytes, to be written as words at any position. */
  unaligned = new DataView(new ArrayBuffer(0));
  length = 0;

  /** Makes room for this many bytes; the content is lost when it has to grow. */
  ensure(capacity: number): void {
    if (this.bytes.length >= capacity + 2 * blockBytes) return;
    let rounded = 4096;
    while (rounded < capacity) rounded *= 2;
    const buffer = new ArrayBuffer(rounded + 2 * blockBytes);
    this.bytes = new Uint8Array(buffer);
    this.words = new Int32Array(buffer);
    this.unaligned = new DataView(buffer);
  }

  /** Sets the length, and zeroes the rest of the last block and the block after it. */
  finish(length: number): void {
    this.length = length;
    const end = (Math.floor(length / blockBytes) + 2) * blockBytes;
    this.bytes.fill(0, length, end);
  }
}

/** For each byte of a view, where its source begins and ends in the text. */
export interface Places {
  readonly starts: Int32Array;
  readonly ends: Int32Array;
}

export const lineFeed = 0x0a;
export const carriageReturn = 0x0d;

/** Reads bytes unchanged, without line breaks. */
export function readPlain(source: Uint8Array, view: View): void {
  view.ensure(source.length);
  if (!source.includes(lineFeed) && !source.includes(carriageReturn)) {
    view.bytes.set(source);
    view.finish(source.length);
    return;
  }
  const { bytes, unaligned: target } = view;
  const words = new DataView(source.buffer, source.byteOffset, source.length);
  const wordsEnd = source.length - 3;
  let at = 0;
  let length = 0;
  while (at < source.length) {
    if (at < wordsEnd) {
      const word = words.getInt32(at, true);
      if (!holdsControl(word)) {
        target.setInt32(length, word, true);
        at += 4;
        length += 4;
        continue;
      }
    }
    // A word that may have a line break, and the rest at the end, are copied byte by byte.
    const until = Math.min(source.length, at + 4);
    for (; at < until; at += 1) {
      const byte = source[at] as number;
      if (byte === lineFeed || byte === carriageReturn) continue;
      bytes[length] = byte;
      length += 1;
    }
  }
  view.finish(length);
}

/** Whether one of the four bytes of a word is at most 0x0d, as line breaks are. */
export function holdsControl(word: number): boolean {
  return ((word - 0x0e0e0e0e) & ~word & 0x80808080) !== 0;
}

/** Whether one of the four bytes of a word is zero (Warren, "Hacker's Delight", section 6-1). */
export function holdsZeroByte(word: number): boolean {
  return ((word - 0x01010101) & ~word & 0x80808080) !== 0;
}

/** Returns the positions of what {@link readPlain} writes. */
export function plainPlaces(source: Uint8Array): Places {
  const starts = new Int32Array(source.length);
  const ends = new Int32Array(source.length);
  let length = 0;
  for (let at = 0; at < source.length; at += 1) {
    const byte = source[at] as number;
    if (byte === lineFeed || byte === carriageReturn) continue;
    starts[length] = at;
    ends[length] = at + 1;
    length += 1;
  }
  return { starts, ends };
}
