import { blockBytes, type DigestKeys, digestBlock, mixEdges } from "./block-digest.ts";

/** How many numbers one entry has. */
export const entryFields = 8;
export const entry = {
  /** Digest of the block by which the entry is found. */
  digest: 0,
  /** Complete blocks of the needle before this block. */
  blocksBefore: 1,
  /** Complete blocks of the needle in total. */
  blocks: 2,
  /** Sum of the digests of its complete blocks. */
  sum: 3,
  /** Bytes of the needle before its first complete block, and after its last. */
  headBytes: 4,
  tailBytes: 5,
  /** Digests of these bytes, by the words that they are in. */
  edgesLow: 6,
  edgesHigh: 7,
} as const;

/**
 * A hash table of needles, for texts that are split into blocks at fixed
 * positions. A needle may begin anywhere in a block, so it has an entry for each
 * of the eight offsets; the entry is found by a block in the needle's middle.
 *
 * Each digest is in one of two slots (Pagh and Rodler, "Cuckoo Hashing", 2001),
 * so that every lookup takes two reads, whatever is found. Entry 0 means none.
 */
export interface PatternTable {
  readonly entries: Int32Array;
  /** The needles of each entry: one, or those that have all complete blocks in common. */
  readonly placed: readonly (readonly Placed[])[];
  /** The slot in the first table is the digest's low bits; in the second, high bits of a product with it. */
  readonly mask: number;
  readonly shift: number;
  /** Pairs of a digest and the offset of its entry. */
  readonly first: Int32Array;
  readonly second: Int32Array;
}

/**
 * Builds tables for all the needles: one, or more where many needles share a
 * block, and at least `tablesMin`.
 */
export function buildPatternTables(
  needles: readonly Buffer[],
  keys: DigestKeys,
  tablesMin = 1,
): PatternTable[] {
  const tables: PatternTable[] = [];
  let left = allPlacements(needles);
  while (left.length > 0 || tables.length < tablesMin) {
    const { table, rest } = buildTable(needles, left, keys, tables.length > 0);
    tables.push(table);
    left = rest;
  }
  return tables;
}

/** A needle at one of its eight offsets: `headBytes` of it precede its first complete block. */
export interface Placed {
  readonly needle: number;
  readonly headBytes: number;
}

function allPlacements(needles: readonly Buffer[]): Placed[] {
  return needles.flatMap((_, needle) =>
    Array.from({ length: blockBytes }, (_unused, headBytes) => ({ needle, headBytes })),
  );
}

function buildTable(
  needles: readonly Buffer[],
  placements: readonly Placed[],
  keys: DigestKeys,
  mayGroup: boolean,
): { table: PatternTable; rest: Placed[] } {
  const entries = new Int32Array((placements.length + 1) * entryFields);
  const placedOf: Placed[][] = [[]];
  const taken = new Set<number>();
  const groups = new Map<string, number>();
  const rest: Placed[] = [];
  let count = 0;
  for (const placed of placements) {
    const needle = needles[placed.needle] as Buffer;
    const fields = entries.subarray((count + 1) * entryFields, (count + 2) * entryFields);
    const group = mayGroup ? groups.get(blocksOf(needle, placed)) : undefined;
    if (group !== undefined) {
      join(entries, group, placedOf, placed);
    } else if (describe(needle, placed.headBytes, keys, taken, fields)) {
      count += 1;
      placedOf[count] = [placed];
      if (mayGroup) groups.set(blocksOf(needle, placed), count);
    } else {
      rest.push(placed);
    }
  }
  return { table: { entries, placed: placedOf, ...placeEntries(entries, count, keys) }, rest };
}

/** Returns the complete blocks of a needle. */
function blocksOf(needle: Buffer, { headBytes }: Placed): string {
  const bytes = Math.floor((needle.length - headBytes) / blockBytes) * blockBytes;
  return needle.toString("latin1", headBytes, headBytes + bytes);
}

/**
 * Adds one more needle with the same complete blocks to an entry: the bytes at
 * the ends, in which they differ, are compared once it is found. Otherwise many
 * values that differ only at their ends would need a table each.
 */
function join(entries: Int32Array, index: number, placedOf: Placed[][], placed: Placed): void {
  const offset = index * entryFields;
  entries[offset + entry.headBytes] = 0;
  entries[offset + entry.tailBytes] = 0;
  entries[offset + entry.edgesLow] = 0;
  entries[offset + entry.edgesHigh] = 0;
  placedOf[index]?.push(placed);
}

/** Writes the entry's numbers. Returns false when each of its blocks is taken by another entry. */
function describe(
  needle: Buffer,
  headBytes: number,
  keys: DigestKeys,
  taken: Set<number>,
  fields: Int32Array,
): boolean {
  const blocks = Math.floor((needle.length - headBytes) / blockBytes);
  const tailBytes = (needle.length - headBytes) % blockBytes;
  const digests = new Int32Array(blocks);
  let sum = 0;
  for (let block = 0; block < blocks; block += 1) {
    const at = headBytes + block * blockBytes;
    const digest = digestBlock(keys, needle.readInt32LE(at), needle.readInt32LE(at + 4));
    digests[block] = digest;
    sum = (sum + digest) | 0;
  }
  const blocksBefore = freeBlock(digests, taken);
  if (blocksBefore === undefined) return false;
  fields[entry.digest] = digests[blocksBefore] ?? 0;
  fields[entry.blocksBefore] = blocksBefore;
  fields[entry.blocks] = blocks;
  fields[entry.sum] = sum;
  fields[entry.headBytes] = headBytes;
  fields[entry.tailBytes] = tailBytes;
  const [headLow, headHigh] = edgeWords(needle, 0, headBytes, blockBytes - headBytes);
  const [tailLow, tailHigh] = edgeWords(needle, needle.length - tailBytes, tailBytes, 0);
  fields[entry.edgesLow] = mixEdges(keys.factor0, keys.factor1, headLow, tailLow);
  fields[entry.edgesHigh] = mixEdges(keys.factor2, keys.spread, headHigh, tailHigh);
  return true;
}

/** Returns fewer bytes than a block as the two words of a block that is otherwise zero. */
function edgeWords(
  needle: Buffer,
  from: number,
  count: number,
  place: number,
): readonly [number, number] {
  const words: [number, number] = [0, 0];
  for (let at = 0; at < count; at += 1) {
    const to = place + at;
    const word = to < 4 ? 0 : 1;
    words[word] |= (needle[from + at] ?? 0) << (8 * (to & 3));
  }
  return words;
}

/**
 * Returns a block that no other entry is found by, from the middle outwards: the
 * ends of values (`sk-`, `==`) are often equal. Digest 0 marks an empty slot.
 */
function freeBlock(digests: Int32Array, taken: Set<number>): number | undefined {
  const middle = digests.length >> 1;
  for (let step = 0; step <= digests.length; step += 1) {
    const block = middle + (step % 2 === 0 ? step >> 1 : -((step + 1) >> 1));
    const digest = digests[block];
    if (digest === undefined || digest === 0 || taken.has(digest)) continue;
    taken.add(digest);
    return block;
  }
  return undefined;
}

type Slots = Pick<PatternTable, "first" | "second" | "mask" | "shift">;

const slotsMin = 256;
const movesMax = 500;

function placeEntries(entries: Int32Array, count: number, keys: DigestKeys): Slots {
  let slots = slotsMin;
  while (slots < count) slots *= 2;
  for (;;) {
    const placed = tryPlacing(entries, count, keys, slots);
    if (placed !== undefined) return placed;
    slots *= 2;
  }
}

function tryPlacing(
  entries: Int32Array,
  count: number,
  keys: DigestKeys,
  slots: number,
): Slots | undefined {
  const mask = slots - 1;
  const shift = 32 - Math.log2(slots);
  const tables = [new Int32Array(slots * 2), new Int32Array(slots * 2)] as const;
  for (let index = 1; index <= count; index += 1) {
    let offset = index * entryFields;
    let moves = 0;
    for (let which: 0 | 1 = 0; ; which = which === 0 ? 1 : 0) {
      const digest = entries[offset] ?? 0;
      const slot = (which === 0 ? digest & mask : Math.imul(digest, keys.spread) >>> shift) << 1;
      const evicted = tables[which][slot + 1] ?? 0;
      tables[which][slot] = digest;
      tables[which][slot + 1] = offset;
      if (evicted === 0) break;
      offset = evicted;
      moves += 1;
      if (moves > movesMax) return undefined;
    }
  }
  return { first: tables[0], second: tables[1], mask, shift };
}
