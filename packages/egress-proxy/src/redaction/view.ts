import { blockBytes } from "./block-digest.ts";

/**
 * A text as it reads after decoding. Line breaks are left out of every view:
 * encoded text is wrapped at any column, and no value is searched for across
 * its own lines.
 */
export class View {
  bytes = new Uint8Array(0);
  /** The same bytes as little-endian words. */
  words = new Int32Array(0);
  length = 0;

  /** Makes room for so many bytes; what it held is lost when it has to grow. */
  ensure(capacity: number): void {
    if (this.bytes.length >= capacity + 2 * blockBytes) return;
    let rounded = 4096;
    while (rounded < capacity) rounded *= 2;
    const buffer = new ArrayBuffer(rounded + 2 * blockBytes);
    this.bytes = new Uint8Array(buffer);
    this.words = new Int32Array(buffer);
  }

  /** Sets the length, and zeroes the rest of the last block and the block after it. */
  finish(length: number): void {
    this.length = length;
    const end = (Math.floor(length / blockBytes) + 2) * blockBytes;
    this.bytes.fill(0, length, end);
  }
}

/** Where in a text what became a byte of its view begins and ends. */
export interface Places {
  readonly starts: Int32Array;
  readonly ends: Int32Array;
}

export const lineFeed = 0x0a;
export const carriageReturn = 0x0d;

/** Reads bytes as they are, without line breaks. */
export function readPlain(source: Uint8Array, view: View): void {
  view.ensure(source.length);
  const { bytes } = view;
  let length = 0;
  for (let at = 0; at < source.length; at += 1) {
    const byte = source[at] as number;
    if (byte === lineFeed || byte === carriageReturn) continue;
    bytes[length] = byte;
    length += 1;
  }
  view.finish(length);
}

/** The places of {@link readPlain}. */
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
