import { lastRelease } from "./release.ts";
import type { FoundValue, ValueSearch } from "./value-search.ts";

const nothing: Buffer = Buffer.alloc(0);

/**
 * Replaces values by their tokens in bytes that arrive in parts split anywhere,
 * and never passes part of a value on.
 *
 * When bytes are released depends on the bytes that arrive and on the length and
 * class of the values, never on how far bytes match a value: all up to
 * the last byte that no form can hold, and, where there is no such byte, all
 * but the last `tailBytes` once there are twice as many. No clock releases
 * what is held. `search` is called each time, so that a value that is set
 * meanwhile is searched for from then on.
 */
export class StreamRedactor {
  readonly #search: () => ValueSearch | undefined;
  readonly #onRedacted: (name: string) => void;
  #held: Buffer = nothing;
  /** Bytes at the beginning of `held` that a token already replaced. */
  #covered = 0;

  constructor(search: () => ValueSearch | undefined, onRedacted: (name: string) => void) {
    this.#search = search;
    this.#onRedacted = onRedacted;
  }

  /** Bytes that are held back. */
  get heldBytes(): number {
    return this.#held.length;
  }

  /** Returns what may be sent on, now that these bytes have arrived. */
  push(arrived: Buffer): readonly Buffer[] {
    const search = this.#search();
    if (search === undefined && this.#held.length === 0) return [arrived];
    const earlier = this.#held.length;
    const bytes = earlier === 0 ? arrived : Buffer.concat([this.#held, arrived]);
    if (search === undefined) return this.#leave(bytes, bytes.length, []);
    const released = lastRelease(bytes, earlier, search.releaseClass);
    const isLong = bytes.length - Math.max(released, 0) >= 2 * search.tailBytes;
    const upTo = isLong
      ? betweenEscapes(bytes, bytes.length - search.tailBytes)
      : Math.max(released, 0);
    if (upTo === 0) {
      this.#held = bytes;
      return [];
    }
    return this.#leave(bytes, upTo, search.find(bytes));
  }

  /** What was held, at the end of a record that is complete. */
  end(): readonly Buffer[] {
    const bytes = this.#held;
    if (bytes.length === 0) return [];
    return this.#leave(bytes, bytes.length, this.#search()?.find(bytes) ?? []);
  }

  /** Passes the bytes before `upTo` on; a form that begins before it is replaced as a whole. */
  #leave(bytes: Buffer, upTo: number, found: readonly FoundValue[]): Buffer[] {
    const parts: Buffer[] = [];
    let from = this.#covered;
    for (const { start, end, name, token } of found) {
      if (start >= upTo) break;
      if (start < from) {
        // It overlaps the one before: no byte of either passes.
        from = Math.max(from, end);
        continue;
      }
      if (start > from) parts.push(bytes.subarray(from, start));
      parts.push(Buffer.from(token, "latin1"));
      this.#onRedacted(name);
      from = end;
    }
    if (from < upTo) parts.push(bytes.subarray(from, upTo));
    this.#covered = Math.max(0, from - upTo);
    this.#held = upTo === bytes.length ? nothing : bytes.subarray(upTo);
    return parts;
  }
}

const backslash = 0x5c;
/** Backslashes that become one after JSON inside of JSON is decoded. */
const backslashesPerEscape = 4;

/**
 * Returns the same position, or one a little before it where it would separate
 * the backslashes of an escape: decoded from its middle, the escape would absorb
 * the first character of what follows.
 */
function betweenEscapes(bytes: Buffer, place: number): number {
  let backslashes = 0;
  while (backslashes < place && bytes[place - 1 - backslashes] === backslash) backslashes += 1;
  return place - (backslashes % backslashesPerEscape);
}

/** Redacts a record that is complete, such as a line. */
export function redactWhole(
  bytes: Buffer,
  search: ValueSearch | undefined,
  onRedacted: (name: string) => void,
): Buffer {
  return replaceFound(bytes, search?.find(bytes) ?? [], onRedacted);
}

/** Returns the bytes with tokens in place of what was found in them; overlapping finds become one token. */
export function replaceFound(
  bytes: Buffer,
  found: readonly FoundValue[],
  onRedacted: (name: string) => void,
): Buffer {
  if (found.length === 0) return bytes;
  const parts: Buffer[] = [];
  let from = 0;
  for (const { start, end, name, token } of found) {
    onRedacted(name);
    if (start >= from) {
      parts.push(bytes.subarray(from, start), Buffer.from(token, "latin1"));
    }
    from = Math.max(from, end);
  }
  parts.push(bytes.subarray(from));
  return Buffer.concat(parts);
}

/** Redacts a text of one character per byte (latin1). */
export function redactText(
  text: string,
  search: ValueSearch | undefined,
  onRedacted: (name: string) => void,
): string {
  if (search === undefined || text === "") return text;
  const bytes = Buffer.from(text, "latin1");
  const redacted = redactWhole(bytes, search, onRedacted);
  return redacted === bytes ? text : redacted.toString("latin1");
}
