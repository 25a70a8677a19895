import {
  blockBytes,
  blockMasks,
  createDigestKeys,
  type DigestKeys,
  mixBlock,
  mixEdges,
} from "./block-digest.ts";
import { CondensedText } from "./condensed-text.ts";
import { entryFields, type PatternTable } from "./pattern-table.ts";
import { View } from "./view.ts";

/** The cost of scanning. It is the same for any two values of equal length and class. */
export interface ScanWork {
  blocks: number;
  lookups: number;
  /** Bytes of needles that occurred completely. */
  comparedBytes: number;
}

/**
 * Finds needles in views. Every block of a view takes the same lookups, digests
 * and comparisons, whether or not anything matches: a block that is not found
 * yields entry 0, which is checked like any other.
 *
 * Everything that the process scans shares working memory: only the keys are
 * kept from one call to the next.
 */
export class BlockScanner {
  readonly keys: DigestKeys = createDigestKeys();
  readonly work: ScanWork = { blocks: 0, lookups: 0, comparedBytes: 0 };
  /** The views that texts are read into: unchanged, decoded once, decoded twice. */
  readonly views: readonly [View, View, View] = [new View(), new View(), new View()];
  /** A text reduced to the parts that can hold a value, before it is read into views. */
  readonly condensed = new CondensedText();
  #digests = new Int32Array(0);
  #sums = new Int32Array(0);

  /**
   * Calls `onFound` with each needle whose digests all match, and where it begins
   * in the view. Of needles that differ only at their ends, one of them may occur
   * there: the caller compares their bytes.
   */
  scan(
    view: View,
    tables: readonly PatternTable[],
    onFound: (needle: number, start: number) => void,
  ): void {
    const blocks = Math.floor(view.length / blockBytes);
    this.#digest(view, blocks);
    this.work.blocks += blocks;
    for (const table of tables) {
      this.work.lookups += blocks;
      this.#lookUp(view, blocks, table, onFound);
    }
  }

  #digest(view: View, blocks: number): void {
    if (this.#sums.length < blocks + 1) {
      this.#digests = new Int32Array(2 * blocks + 512);
      this.#sums = new Int32Array(2 * blocks + 512);
    }
    const digests = this.#digests;
    const sums = this.#sums;
    const { words } = view;
    const { addend0, addend1, factor0, factor1, factor2 } = this.keys;
    let sum = 0;
    sums[0] = 0;
    for (let block = 0; block < blocks; block += 1) {
      const low = words[2 * block] as number;
      const high = words[2 * block + 1] as number;
      const digest = mixBlock(addend0, addend1, factor0, factor1, factor2, low, high);
      digests[block] = digest;
      sum = (sum + digest) | 0;
      sums[block + 1] = sum;
    }
  }

  #lookUp(
    view: View,
    blocks: number,
    table: PatternTable,
    onFound: (needle: number, start: number) => void,
  ): void {
    const digests = this.#digests;
    const sums = this.#sums;
    const { words } = view;
    const { entries, first, second, mask, shift, placed } = table;
    const { spread, factor0, factor1, factor2 } = this.keys;
    const [keepFirst0, keepFirst1] = blockMasks.first;
    const [keepLast0, keepLast1] = blockMasks.last;
    for (let block = 0; block < blocks; block += 1) {
      const digest = at(digests, block);
      const slot0 = (digest & mask) << 1;
      const slot1 = (Math.imul(digest, spread) >>> shift) << 1;
      // Digests in the table are distinct, so at most one of the two is found.
      const found =
        (at(first, slot0) === digest ? at(first, slot0 + 1) : 0) |
        (at(second, slot1) === digest ? at(second, slot1 + 1) : 0);
      const begin = block - at(entries, found + 1);
      const end = begin + at(entries, found + 2);
      const headBytes = at(entries, found + 4);
      const tailBytes = at(entries, found + 5);
      const from = begin < 0 ? 0 : begin;
      const to = end > blocks ? blocks : end;
      // A needle that begins with the text has no bytes in a block before it: the mask is empty.
      const head = from === 0 ? 0 : 2 * from - 2;
      const tail = 2 * to;
      const sum = (at(sums, to) - at(sums, from)) | 0;
      const headLow = at(words, head) & at(keepLast0, headBytes);
      const headHigh = at(words, head + 1) & at(keepLast1, headBytes);
      const tailLow = at(words, tail) & at(keepFirst0, tailBytes);
      const tailHigh = at(words, tail + 1) & at(keepFirst1, tailBytes);
      const difference =
        (digest ^ at(entries, found)) |
        (sum ^ at(entries, found + 3)) |
        (mixEdges(factor0, factor1, headLow, tailLow) ^ at(entries, found + 6)) |
        (mixEdges(factor2, spread, headHigh, tailHigh) ^ at(entries, found + 7));
      if (difference !== 0 || found === 0) continue;
      for (const { needle, headBytes: before } of placed[found / entryFields] ?? []) {
        onFound(needle, begin * blockBytes - before);
      }
    }
  }
}

/** Returns an element that the caller knows to exist. */
function at(array: Int32Array, index: number): number {
  return array[index] as number;
}
