/** A run of octets that must not reach a guest, and what it gets instead. */
export interface SealedPattern {
  readonly octets: Buffer;
  readonly replacement: Buffer;
  readonly secretNames: readonly string[];
}

export interface PatternMatch {
  readonly start: number;
  readonly pattern: SealedPattern;
}

const blockTableSize = 8192;
/** Longer steps gain nothing, and guests can have tables made: one per Basic credentials. */
const windowOctetsMax = 128;

/**
 * Finds many patterns in one pass (Wu and Manber, 1994, with blocks of two
 * octets): it looks at one block, and a table tells how far no pattern can
 * end, so that most octets are never looked at.
 *
 * The earliest match wins, and of several at one place the longest.
 */
export class ValueMatcher {
  /** Octets of the longest pattern. */
  readonly longest: number;
  readonly #window: number;
  readonly #shifts = new Uint16Array(blockTableSize);
  readonly #byLastBlock = new Map<number, SealedPattern[]>();
  readonly #byFirstOctet = new Map<number, SealedPattern[]>();
  readonly #firstOctets = new Uint8Array(256);

  /** Every pattern has at least two octets. */
  constructor(patterns: readonly SealedPattern[]) {
    const longestFirst = [...patterns].sort((a, b) => b.octets.length - a.octets.length);
    this.longest = longestFirst[0]?.octets.length ?? 0;
    this.#window = Math.min(windowOctetsMax, longestFirst.at(-1)?.octets.length ?? 0);
    if (this.#window < 2) throw new RangeError("A pattern must have at least two octets");
    this.#shifts.fill(this.#window - 1);
    for (const pattern of longestFirst) this.#add(pattern);
  }

  /** The first match that lies in `octets[from…]` as a whole. */
  find(octets: Buffer, from: number): PatternMatch | undefined {
    const shifts = this.#shifts;
    const window = this.#window;
    let at = from + window - 1;
    while (at < octets.length) {
      const block = blockOf(octets[at - 1] ?? 0, octets[at] ?? 0);
      const shift = shifts[block] ?? 1;
      if (shift > 0) {
        at += shift;
        continue;
      }
      const start = at - window + 1;
      for (const pattern of this.#byLastBlock.get(block) ?? []) {
        if (standsAt(octets, start, pattern.octets, pattern.octets.length))
          return { start, pattern };
      }
      at += 1;
    }
    return undefined;
  }

  /**
   * The first place at or after `from` where the rest of the octets is the
   * beginning of a longer pattern; their length when there is none.
   */
  pendingStart(octets: Buffer, from: number): number {
    const { length } = octets;
    for (let at = Math.max(from, length - this.longest + 1); at < length; at += 1) {
      const first = octets[at] ?? 0;
      if (this.#firstOctets[first] === 0) continue;
      for (const pattern of this.#byFirstOctet.get(first) ?? []) {
        if (pattern.octets.length <= length - at) break;
        if (standsAt(octets, at, pattern.octets, length - at)) return at;
      }
    }
    return length;
  }

  #add(pattern: SealedPattern): void {
    const { octets } = pattern;
    const last = this.#window - 1;
    for (let at = 1; at <= last; at += 1) {
      const block = blockOf(octets[at - 1] ?? 0, octets[at] ?? 0);
      this.#shifts[block] = Math.min(this.#shifts[block] ?? 0, last - at);
      if (at === last) append(this.#byLastBlock, block, pattern);
    }
    const first = octets[0] ?? 0;
    this.#firstOctets[first] = 1;
    append(this.#byFirstOctet, first, pattern);
  }
}

function blockOf(first: number, second: number): number {
  return ((first << 5) ^ second) & (blockTableSize - 1);
}

function standsAt(octets: Buffer, start: number, pattern: Buffer, length: number): boolean {
  return (
    start + length <= octets.length &&
    octets.compare(pattern, 0, length, start, start + length) === 0
  );
}

function append<Key>(map: Map<Key, SealedPattern[]>, key: Key, pattern: SealedPattern): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [pattern]);
  else list.push(pattern);
}
