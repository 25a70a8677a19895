import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  encodeSessionEvent,
  readSessionEvents,
  type SessionEvent,
  sessionFrameBytesMax,
} from "./session-stream.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const whole: SessionEvent[] = [
  { type: "stdout", bytes: bytes("before") },
  { type: "replayEnd" },
  { type: "stderr", bytes: bytes("") },
  { type: "stdout", bytes: bytes("x".repeat(5000)) },
  { type: "exit", exitCode: -1 },
];

function join(parts: Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  return all;
}

async function read(chunks: Iterable<Uint8Array>): Promise<SessionEvent[]> {
  async function* source() {
    yield* chunks;
  }
  const events: SessionEvent[] = [];
  for await (const event of readSessionEvents(source())) {
    events.push("bytes" in event ? { ...event, bytes: Uint8Array.from(event.bytes) } : event);
  }
  return events;
}

function seeded(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state % below;
  };
}

describe("readSessionEvents", () => {
  test("gives what was encoded, wherever it is cut", async () => {
    const stream = join(whole.map(encodeSessionEvent));
    for (const size of [1, 2, 3, 7, 100, stream.length]) {
      const chunks: Uint8Array[] = [];
      for (let at = 0; at < stream.length; at += size) chunks.push(stream.slice(at, at + size));
      assert.deepEqual(await read(chunks), whole, `pieces of ${size}`);
    }
  });

  const frame = (type: number, length: number, content = new Uint8Array(length)) => {
    const head = new Uint8Array([type, 0, 0, 0, 0]);
    new DataView(head.buffer).setUint32(1, length);
    return join([head, content]);
  };
  const replayEnd = encodeSessionEvent({ type: "replayEnd" });
  const exit = encodeSessionEvent({ type: "exit", exitCode: 0 });
  const refusals: [string, Uint8Array[], RegExp][] = [
    ["a stream without an exit", [replayEnd], /ended before the command/],
    ["nothing", [], /ended before the command/],
    ["half a frame", [replayEnd, frame(1, 100, new Uint8Array(99))], /ended before the command/],
    ["a frame over the limit", [frame(1, sessionFrameBytesMax + 1)], /claims 65537 bytes/],
    ["an unknown type", [frame(5, 0)], /no frame type 5/],
    ["input from the guest", [frame(0, 1)], /no frame type 0/],
    ["a second end of the replay", [replayEnd, replayEnd], /ends twice/],
    ["an exit within the replay", [exit], /replay does not end/],
    ["a frame after the exit", [replayEnd, exit, frame(1, 1)], /follows the exit/],
    ["bytes after the exit", [replayEnd, exit, bytes("x")], /Bytes follow/],
    ["a short exit code", [replayEnd, frame(3, 3)], /has 3 bytes/],
    ["an end of the replay with bytes", [frame(4, 1)], /has bytes/],
  ];
  for (const [what, chunks, message] of refusals) {
    test(`refuses ${what}`, async () => {
      await assert.rejects(read(chunks), message);
      await assert.rejects(read([join(chunks)]), message);
    });
  }

  test("takes or refuses seeded random bytes, and never gives more than it got", async () => {
    for (let seed = 1; seed <= 300; seed += 1) {
      const next = seeded(seed);
      const stream = join(whole.map(encodeSessionEvent));
      for (let change = next(4); change > 0; change -= 1) stream[next(stream.length)] = next(256);
      const cut = next(stream.length);
      let given = 0;
      try {
        const events = await read([stream.slice(0, cut), stream.slice(cut)]);
        for (const event of events) given += "bytes" in event ? event.bytes.length : 0;
      } catch (error) {
        assert.ok(
          error instanceof Error && !(error instanceof RangeError),
          `seed ${seed}: ${error}`,
        );
      }
      assert.ok(given <= stream.length);
    }
  });
});
