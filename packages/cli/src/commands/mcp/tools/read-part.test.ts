import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { readPart } from "./read-part.ts";

/** A stream of the bytes in chunks, which counts those that were taken. */
function streamOf(bytes: Buffer, chunkBytes: number) {
  let taken = 0;
  let isCancelled = false;
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (taken >= bytes.length) return controller.close();
        controller.enqueue(bytes.subarray(taken, taken + chunkBytes));
        taken += chunkBytes;
      },
      cancel() {
        isCancelled = true;
      },
    },
    { highWaterMark: 0 },
  );
  return { stream, taken: () => taken, isCancelled: () => isCancelled };
}

describe("readPart", () => {
  const text = Buffer.from("aé€😀".repeat(50));

  test("gives a text in parts that are text, whatever the chunks", async () => {
    for (const chunkBytes of [1, 3, 7, 1000]) {
      for (const bytesMax of [4, 5, 6, 7, 64]) {
        const parts: Buffer[] = [];
        for (let offset: number | null = 0; offset !== null; ) {
          const { stream } = streamOf(text, chunkBytes);
          const part = await readPart(stream, { offset, bytesMax, isText: true });
          new TextDecoder("utf-8", { fatal: true }).decode(part.bytes);
          assert.ok(part.bytes.length > 0 && part.bytes.length <= bytesMax);
          parts.push(part.bytes);
          offset = part.nextOffset;
        }
        assert.deepEqual(Buffer.concat(parts), text);
      }
    }
  });

  test("splits what is no text at the requested byte", async () => {
    const { stream } = streamOf(Buffer.alloc(100, 0x80), 10);
    const part = await readPart(stream, { offset: 5, bytesMax: 50, isText: false });
    assert.deepEqual([part.bytes.length, part.nextOffset], [50, 55]);
  });

  test("makes progress in what has no character", async () => {
    const { stream } = streamOf(Buffer.alloc(100, 0x80), 10);
    const part = await readPart(stream, { offset: 0, bytesMax: 50, isText: true });
    assert.deepEqual([part.bytes.length, part.nextOffset], [50, 50]);
  });

  test("is empty beyond the end", async () => {
    const { stream } = streamOf(Buffer.from("abc"), 2);
    const part = await readPart(stream, { offset: 9, bytesMax: 4, isText: true });
    assert.deepEqual([part.bytes.length, part.nextOffset], [0, null]);
  });

  test("takes no more of a large file than it needs", async () => {
    const { stream, taken, isCancelled } = streamOf(Buffer.alloc(100_000), 100);
    await readPart(stream, { offset: 150, bytesMax: 300, isText: false });
    assert.deepEqual([taken(), isCancelled()], [500, true]);
  });
});
