import { createHash } from "node:crypto";

/** Choices that are the same for the same seed, in the same order. */
export interface SeededRandom {
  /** From 0 up to but not 1. */
  number(): number;
  chance(probability: number): boolean;
  /** One of the items; undefined when there is none. */
  pick<Item>(items: readonly Item[]): Item | undefined;
}

export function createSeededRandom(seed: string): SeededRandom {
  let drawn = 0;
  const number = () => {
    drawn += 1;
    const digest = createHash("sha256").update(`${seed} ${drawn}`).digest();
    return digest.readUInt32LE() / 2 ** 32;
  };
  return {
    number,
    chance: (probability) => number() < probability,
    pick: (items) => items[Math.floor(number() * items.length)],
  };
}
