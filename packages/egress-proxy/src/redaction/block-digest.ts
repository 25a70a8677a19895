import { randomInt } from "node:crypto";

/** Values and searched texts are split into blocks of this many bytes. */
export const blockBytes = 8;

const inBlock = blockBytes - 1;

/**
 * Keys of the digests. They are random for each process, so that an attacker
 * cannot make two texts collide.
 */
export interface DigestKeys {
  readonly addend0: number;
  readonly addend1: number;
  readonly factor0: number;
  readonly factor1: number;
  readonly factor2: number;
  /** The odd factor that spreads digests over the second table. */
  readonly spread: number;
}

export function createDigestKeys(): DigestKeys {
  const random = () => randomInt(0, 2 ** 32) | 0;
  return {
    addend0: random(),
    addend1: random(),
    factor0: random() | 1,
    factor1: random() | 1,
    factor2: random() | 1,
    spread: random() | 1,
  };
}

/** Returns the 32-bit digest of one block, given as two little-endian words. */
export function digestBlock(
  { addend0, addend1, factor0, factor1, factor2 }: DigestKeys,
  low: number,
  high: number,
): number {
  return mixBlock(addend0, addend1, factor0, factor1, factor2, low, high);
}

/** {@link digestBlock} for loops that have the keys in local variables. */
export function mixBlock(
  addend0: number,
  addend1: number,
  factor0: number,
  factor1: number,
  factor2: number,
  low: number,
  high: number,
): number {
  let digest = Math.imul(low ^ addend0, factor0);
  digest = Math.imul(((digest ^ (digest >>> 15)) + (high ^ addend1)) | 0, factor1);
  digest = Math.imul(digest ^ (digest >>> 13), factor2);
  return digest ^ (digest >>> 16);
}

/**
 * Returns the digest of the bytes before the first complete block of a needle
 * and after its last, given the low words of both, or the high words. A
 * difference in one byte always changes the digest.
 */
export function mixEdges(
  headFactor: number,
  tailFactor: number,
  head: number,
  tail: number,
): number {
  const product = Math.imul(tail, tailFactor);
  return Math.imul(head, headFactor) ^ ((product << 16) | (product >>> 16));
}

/** Word masks that keep the first n bytes of a block, and the last n, for n from 0 to 7. */
export const blockMasks = {
  first: [wordMasks((at, kept) => at < kept, 0), wordMasks((at, kept) => at < kept, 1)],
  last: [
    wordMasks((at, kept) => at >= blockBytes - kept, 0),
    wordMasks((at, kept) => at >= blockBytes - kept, 1),
  ],
} as const;

function wordMasks(isKept: (at: number, kept: number) => boolean, word: 0 | 1): Int32Array {
  return Int32Array.from({ length: blockBytes }, (_, kept) => {
    let mask = 0;
    for (let at = 0; at < 4; at += 1) {
      if (isKept(word * 4 + at, kept & inBlock)) mask |= 0xff << (8 * at);
    }
    return mask;
  });
}
