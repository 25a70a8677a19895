/** Random numbers that are the same in every run, so that a failure can be reproduced. */
export interface SeededRandom {
  /** An integer from 0 up to, not including, `end`. */
  below(end: number): number;
  bytes(length: number): Buffer;
  pick<Item>(items: readonly Item[]): Item;
}

/** Marsaglia's xorshift32. */
export function createSeededRandom(seed: number): SeededRandom {
  let state = seed >>> 0 || 1;
  const next = (): number => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state;
  };
  const below = (end: number): number => next() % end;
  return {
    below,
    bytes: (length) => Buffer.from(Array.from({ length }, () => below(256))),
    pick(items) {
      const item = items[below(items.length)];
      if (item === undefined) throw new RangeError("Cannot pick from an empty list");
      return item;
    },
  };
}
