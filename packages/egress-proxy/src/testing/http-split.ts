import type { SeededRandom } from "./seeded-random.ts";

/** The octets in parts of random length, some of them empty. */
export function splitAtRandom(octets: Buffer, partMax: number, random: SeededRandom): Buffer[] {
  const parts: Buffer[] = [];
  for (let at = 0; at < octets.length; ) {
    const length = random.below(partMax + 1);
    parts.push(octets.subarray(at, at + length));
    at += length;
  }
  return parts;
}
