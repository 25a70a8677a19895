import { createHash } from "node:crypto";

/** The same bytes for the same seed, so that a failing round can be repeated. */
export function seededBytes(seed: string, length: number): Buffer {
  const blocks: Buffer[] = [];
  for (let block = 0; block * 32 < length; block += 1) {
    blocks.push(createHash("sha256").update(`${seed}/${block}`).digest());
  }
  return Buffer.concat(blocks).subarray(0, length);
}

/** Numbers from 0 up to but not 1, the same for the same seed. */
export function createSeededRandom(seed: string): () => number {
  let drawn = 0;
  return () => {
    drawn += 1;
    return seededBytes(`${seed}/${drawn}`, 4).readUInt32BE() / 2 ** 32;
  };
}
