import { randomInt } from "node:crypto";

/** Values and what is searched are cut into blocks of this many bytes. */
export const blockBytes = 8;

const inBlock = blockBytes - 1;

/**
 * Keys of the digests of blocks, and of sequences of them. They are random for
 * each process, so nobody outside can make two blocks collide.
 */
export interface DigestKeys {
  readonly addend0: number;
  readonly addend1: number;
  readonly factor0: number;
  readonly factor1: number;
  readonly factor2: number;
  /** Base of the polynomial over block digests, odd. */
  readonly base: number;
  /** What spreads a digest over the second table, odd. */
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
    base: random() | 1,
    spread: random() | 1,
  };
}

/** The digest of one block, 32 bits, given as two little-endian words. */
export function digestWords(keys: DigestKeys, low: number, high: number): number {
  const { addend0, addend1, factor0, factor1, factor2 } = keys;
  return mix(addend0, addend1, factor0, factor1, factor2, low, high);
}

/** {@link digestWords} for loops that have the keys in variables. */
export function mix(
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
