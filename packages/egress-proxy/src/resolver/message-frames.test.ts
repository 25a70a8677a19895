import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createSeededRandom } from "../testing/seeded-random.ts";
import { createMessageFrames, frameMessage } from "./message-frames.ts";

describe("createMessageFrames", () => {
  test("fuzz: returns the same messages however the stream is split", () => {
    const random = createSeededRandom(7766);
    for (let round = 0; round < 300; round += 1) {
      const messages = Array.from({ length: random.below(6) }, () =>
        random.bytes(random.below(90)),
      );
      const stream = Buffer.concat(messages.map(frameMessage));
      const frames = createMessageFrames({ messageBytesMax: 100 });
      const got: Buffer[] = [];
      let offset = 0;
      while (offset < stream.length) {
        const end = Math.min(stream.length, offset + 1 + random.below(40));
        got.push(
          ...(frames.push(stream.subarray(offset, end)) ?? assert.fail("no message is long")),
        );
        offset = end;
      }
      assert.deepEqual(got, messages);
    }
  });

  test("refuses a message by its declared length, before its bytes arrive", () => {
    const frames = createMessageFrames({ messageBytesMax: 100 });
    assert.deepEqual(frames.push(frameMessage(Buffer.alloc(100))), [Buffer.alloc(100)]);
    assert.equal(frames.push(Buffer.from([0, 101])), undefined);
  });
});
