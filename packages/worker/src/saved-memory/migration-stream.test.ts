import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  encodeHead,
  encodePage,
  encodeStream,
  named,
  type StreamPage,
  sectionEnd,
  streamBlocks,
  streamDevices,
  u32,
  u64,
} from "../testing/migration-streams.ts";
import { seededRandom } from "../testing/seeded-random.ts";
import { createStreamSplitter, MigrationStreamError, pageBytes } from "./migration-stream.ts";

const memory = { name: "memory0", bytes: 64 * pageBytes };
const plugged = "0000:00:01.0/memory1";

function page(block: string, index: number, fill?: number, isNamed = false): StreamPage {
  const bytes = fill === undefined ? undefined : Buffer.alloc(pageBytes, fill);
  return { block, offset: index * pageBytes, bytes, isNamed };
}

/** Splits a stream that comes in pieces of these lengths, and then in one. */
function split(stream: Buffer, pieces: readonly number[] = [], block = memory) {
  const taken: { offset: number; bytes: Buffer | undefined }[] = [];
  const rest: Buffer[] = [];
  const splitter = createStreamSplitter(block, {
    page: (offset, bytes) =>
      taken.push({ offset, bytes: bytes === undefined ? undefined : Buffer.from(bytes) }),
    rest: (bytes) => rest.push(Buffer.from(bytes)),
  });
  let position = 0;
  for (const length of pieces) {
    splitter.push(stream.subarray(position, position + length));
    position += length;
  }
  splitter.push(stream.subarray(position));
  splitter.end();
  return { taken, rest: Buffer.concat(rest) };
}

/** What a stream's pages make of each block: the last one of a place holds. */
function contentOf(pages: readonly { offset: number; bytes: Buffer | undefined }[]) {
  return new Map(
    pages.map(({ offset, bytes }) => [offset, bytes ?? Buffer.alloc(pageBytes)] as const),
  );
}

const sections = [
  [page(memory.name, 0, 1), page(memory.name, 1), page(plugged, 0, 2), page(plugged, 1)],
  [page(memory.name, 2, 3), page("pc.bios", 3, 4), page(memory.name, 4, 5, true)],
  [page("pc.bios", 4, 6), page(memory.name, 0, 7), page(memory.name, 63)],
];
const without = sections.map((pages) => pages.filter(({ block }) => block !== memory.name));

describe("createStreamSplitter", () => {
  test("takes out the pages of one block, and leaves a stream as if it had none", () => {
    const { taken, rest } = split(encodeStream(sections));
    const expected = sections.flat().filter(({ block }) => block === memory.name);
    assert.deepEqual(
      taken,
      expected.map(({ offset, bytes }) => ({ offset, bytes })),
    );
    assert.deepEqual(rest, encodeStream(without));
    assert.ok(rest.subarray(-streamDevices.length).equals(streamDevices));
  });

  test("the rest is a stream with all of each other block, and nothing of this one", () => {
    let { rest } = split(encodeStream(sections));
    assert.deepEqual(split(rest).taken, []);
    for (const block of streamBlocks.slice(1)) {
      const split1 = split(rest, [], block);
      const expected = sections.flat().filter((each) => each.block === block.name);
      assert.deepEqual(contentOf(split1.taken), contentOf(expected));
      rest = split1.rest;
    }
    assert.deepEqual(rest, encodeStream([[], [], []]));
  });

  test("a stream cut in two at every place is split alike", () => {
    const stream = encodeStream([[page(memory.name, 1)], [page(plugged, 2), page(memory.name, 3)]]);
    const whole = split(stream);
    for (let cut = 0; cut <= stream.length; cut += 1) {
      assert.deepEqual(split(stream, [cut]), whole, `cut at ${cut}`);
    }
    assert.deepEqual(
      split(
        stream,
        [...stream].map(() => 1),
      ),
      whole,
    );
  });

  test("large streams cut at random are split alike, seed 1 to 40", () => {
    for (let seed = 1; seed <= 40; seed += 1) {
      const random = seededRandom(seed);
      const below = (limit: number) => Math.floor(random() * limit);
      const pages = () =>
        Array.from({ length: below(20) }, () => {
          const { name, bytes } = streamBlocks[below(streamBlocks.length)] ?? memory;
          const fill = random() < 0.5 ? below(256) : undefined;
          return page(name, below(bytes / pageBytes), fill, random() < 0.2);
        });
      const drawn = Array.from({ length: 2 + below(4) }, pages);
      const stream = encodeStream(drawn);
      const pieces = Array.from({ length: 50 }, () => below(pageBytes * 2));
      const { taken, rest } = split(stream, pieces);
      const expected = drawn.flat().filter(({ block }) => block === memory.name);
      assert.deepEqual(contentOf(taken), contentOf(expected), `seed ${seed}`);
      for (const block of streamBlocks.slice(1)) {
        const others = drawn.flat().filter((each) => each.block === block.name);
        assert.deepEqual(
          contentOf(split(rest, pieces, block).taken),
          contentOf(others),
          `seed ${seed}`,
        );
      }
    }
  });

  const head = encodeHead();
  const first = encodePage(page(memory.name, 0, 1), undefined);
  const after = (...parts: Buffer[]) => Buffer.concat([head, ...parts]);
  const changed = (stream: Buffer, position: number, byte: number) => {
    const copy = Buffer.from(stream);
    copy[position] = byte;
    return copy;
  };
  const whole = encodeStream(sections);
  const refusals: [string, Buffer, RegExp][] = [
    ["another magic", changed(whole, 0, 0x50), /expected one of version 3/],
    ["another version", changed(whole, 7, 2), /expected one of version 3/],
    ["no machine's type", changed(whole, 8, 1), /the machine's type/],
    ["a machine's type without end", changed(whole, 9, 1), /the machine's type/],
    ["devices before the memory", changed(whole, 23, 4), /the memory before everything else/],
    ["a first section of another name", changed(whole, 29, 0x73), /the memory before everything/],
    [
      "no list of blocks",
      Buffer.concat([head.subarray(0, 40), u64(0x08)]),
      /the list of memory blocks/,
    ],
    ["the block missing", encodeHead(streamBlocks.slice(1)), /expected a memory block/],
    [
      "the block in another size",
      encodeHead([{ name: memory.name, bytes: pageBytes }]),
      /expected a memory block/,
    ],
    [
      "more blocks than the total",
      Buffer.concat([head.subarray(0, 40), u64(pageBytes + 4), named("a"), u64(2 * pageBytes)]),
      /too many memory blocks/,
    ],
    [
      "blocks without end",
      encodeHead([
        memory,
        ...Array.from({ length: 64 }, (_, index) => ({ name: `${index}`, bytes: pageBytes })),
      ]),
      /too many memory blocks/,
    ],
    [
      "a page beyond its block",
      after(encodePage(page(memory.name, 64), undefined)),
      /beyond the end/,
    ],
    ["a page of 2 ** 52", after(u64(2 ** 52 + 2), named(memory.name), Buffer.alloc(1)), /beyond/],
    ["compressed pages", after(u64(0x100), named(memory.name)), /the flags 0x100/],
    ["a page that is zeros and not", after(u64(0x0a), named(memory.name)), /the flags 0xa/],
    ["pages of ones", after(u64(2), named(memory.name), Buffer.from([1])), /other content/],
    ["a page of no block", after(u64(0x22), Buffer.from([0])), /of no block/],
    ["no footer", after(first, u64(0x10), Buffer.from([0x00]), u32(2)), /does not end where/],
    [
      "a footer of another section",
      after(first, u64(0x10), Buffer.from([0x7e]), u32(3)),
      /not end/,
    ],
    ["devices within the memory", after(first, sectionEnd, Buffer.from([4]), u32(2)), /kind 4/],
    ["another section's part", after(first, sectionEnd, Buffer.from([2]), u32(3)), /expected more/],
  ];
  for (const [what, stream, message] of refusals) {
    test(`refuses ${what}`, () => {
      assert.throws(
        () => split(stream),
        (error) => error instanceof MigrationStreamError && message.test(error.message),
      );
    });
  }

  test("refuses every stream that ends before its devices", () => {
    const small = encodeStream([[page(memory.name, 1)], [page(plugged, 2)]]);
    const memoryEnd = small.length - streamDevices.length;
    for (let length = 0; length < memoryEnd; length += 1) {
      assert.throws(() => split(small.subarray(0, length)), /ended within the memory/);
    }
    assert.ok(split(small.subarray(0, memoryEnd)));
  });

  test("splits or throws a MigrationStreamError, and never makes more than came, seed 1 to 3000", () => {
    const stream = encodeStream([[page(memory.name, 1), page(plugged, 2)], [page("pc.bios", 0)]]);
    for (let seed = 1; seed <= 3000; seed += 1) {
      const random = seededRandom(seed);
      const mutated = Buffer.from(stream);
      for (let count = 1 + Math.floor(random() * 4); count > 0; count -= 1) {
        mutated[Math.floor(random() * mutated.length)] = Math.floor(random() * 256);
      }
      let outBytes = 0;
      const splitter = createStreamSplitter(memory, {
        page(offset, bytes) {
          assert.ok(offset >= 0 && offset < memory.bytes && offset % pageBytes === 0);
          outBytes += bytes?.length ?? 1;
        },
        rest(bytes) {
          outBytes += bytes.length;
        },
      });
      try {
        for (const byte of mutated) splitter.push(Buffer.from([byte]));
        splitter.end();
      } catch (error) {
        assert.ok(error instanceof MigrationStreamError, `seed ${seed}: ${String(error)}`);
      }
      // A page that remains may have to name its block where it did not come with a name.
      assert.ok(outBytes <= mutated.length + 256 * 3, `seed ${seed}`);
    }
  });
});
