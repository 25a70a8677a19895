import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { seededRandom } from "../testing/seeded-random.ts";
import { createMemoryFile } from "./memory-file.ts";
import { pageBytes } from "./migration-stream.ts";

const pageCount = 1024;
const page = (fill: number) => Buffer.alloc(pageBytes, fill);

describe("createMemoryFile", () => {
  let directory: string;
  let path: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "memory-"));
    path = join(directory, "memory");
  });
  afterEach(() => rm(directory, { recursive: true }));

  async function written(puts: readonly [index: number, bytes: Buffer | undefined][]) {
    const file = createMemoryFile(path, pageCount * pageBytes);
    for (const [index, bytes] of puts) file.put(index * pageBytes, bytes);
    file.flush();
    file.close();
    return readFile(path);
  }

  test("pages are where they belong, all others are zeros, the size is the memory's", async () => {
    const content = await written([
      [0, page(1)],
      [7, page(2)],
      [pageCount - 1, page(3)],
    ]);
    const expected = Buffer.alloc(pageCount * pageBytes);
    for (const [index, fill] of [
      [0, 1],
      [7, 2],
      [pageCount - 1, 3],
    ] as const) {
      expected.fill(fill, index * pageBytes, (index + 1) * pageBytes);
    }
    assert.ok(content.equals(expected));
    assert.equal((await stat(path)).mode & 0o777, 0o640);
  });

  test("pages of zeros stay holes", async () => {
    const zeros = Array.from({ length: pageCount }, (_, index) => [index, undefined] as const);
    await written(zeros.map(([index]) => [index, index === 9 ? page(1) : undefined]));
    const { size, blocks } = await stat(path);
    assert.equal(size, pageCount * pageBytes);
    assert.ok(blocks * 512 < 64 * pageBytes, `${blocks} blocks`);
  });

  test("a page that became zeros later is zeros, and the other way round", async () => {
    const content = await written([
      [3, page(1)],
      [4, page(2)],
      [3, undefined],
      [5, undefined],
      [5, page(4)],
      [4, page(5)],
    ]);
    assert.ok(content.subarray(3 * pageBytes, 4 * pageBytes).equals(page(0)));
    assert.ok(content.subarray(4 * pageBytes, 5 * pageBytes).equals(page(5)));
    assert.ok(content.subarray(5 * pageBytes, 6 * pageBytes).equals(page(4)));
  });

  test("the bytes of a page may change as soon as it is put", async () => {
    const file = createMemoryFile(path, pageCount * pageBytes);
    const bytes = page(7);
    file.put(0, bytes);
    bytes.fill(8);
    file.put(pageBytes, bytes);
    bytes.fill(9);
    file.flush();
    file.close();
    const content = await readFile(path);
    assert.deepEqual([content[0], content[pageBytes]], [7, 8]);
  });

  test("runs longer than what is written at once, and pages in any order, seed 1 to 10", async () => {
    for (let seed = 1; seed <= 10; seed += 1) {
      const random = seededRandom(seed);
      const expected = Buffer.alloc(pageCount * pageBytes);
      const puts: [number, Buffer | undefined][] = [];
      for (let run = 0; run < 12; run += 1) {
        const start = Math.floor(random() * pageCount);
        const length = Math.floor(random() * 400);
        for (let index = start; index < Math.min(start + length, pageCount); index += 1) {
          const fill = random() < 0.2 ? 0 : 1 + Math.floor(random() * 255);
          expected.fill(fill, index * pageBytes, (index + 1) * pageBytes);
          puts.push([index, fill === 0 ? undefined : page(fill)]);
        }
      }
      assert.ok((await written(puts)).equals(expected), `seed ${seed}`);
      await rm(path);
    }
  });

  test("never overwrites a file", async () => {
    await written([[0, page(1)]]);
    assert.throws(() => createMemoryFile(path, pageBytes), { code: "EEXIST" });
    assert.equal((await readFile(path))[0], 1);
  });
});
