import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { splitAtRandom } from "../testing/http-split.ts";
import { createSeededRandom } from "../testing/seeded-random.ts";
import { WebSocketProtocolError, type WebSocketSide } from "./frame.ts";
import { frameOf, randomStream, readMessages } from "./testing/web-socket-frames.ts";

const sides: readonly WebSocketSide[] = ["guest", "upstream"];
const byteByByte = (bytes: Buffer) => [...bytes].map((byte) => Buffer.from([byte]));
const close = (code: number, reason = "") => String.fromCharCode(code >> 8, code & 0xff) + reason;

describe("FrameParser", () => {
  const taken = [
    { name: "a text message", frames: [{ opcode: 1, payload: "hello" }], lines: ["text hello"] },
    { name: "an empty message", frames: [{ opcode: 2, payload: "" }], lines: ["binary "] },
    {
      name: "a fragmented message with a ping inside",
      frames: [
        { opcode: 1, payload: "ab", isFinal: false },
        { opcode: 9, payload: "p" },
        { opcode: 0, payload: "", isFinal: false },
        { opcode: 0, payload: "c" },
      ],
      lines: ["ping p", "text abc"],
    },
    ...[125, 126, 65_535, 65_536].map((length) => ({
      name: `a message of ${length} bytes`,
      frames: [{ opcode: 2, payload: "x".repeat(length) }],
      lines: [`binary ${"x".repeat(length)}`],
    })),
    { name: "a close without a code", frames: [{ opcode: 8, payload: "" }], lines: ["close "] },
    {
      name: "closes with a code",
      frames: [1000, 1003, 1014, 2999, 3000, 4999].map((code) => ({
        opcode: 8,
        payload: close(code, "why"),
      })),
      lines: [1000, 1003, 1014, 2999, 3000, 4999].map((code) => `close ${close(code, "why")}`),
    },
    {
      name: "a control frame of 125 bytes",
      frames: [{ opcode: 10, payload: "y".repeat(125) }],
      lines: [`pong ${"y".repeat(125)}`],
    },
  ];
  for (const { name, frames, lines } of taken) {
    for (const side of sides) {
      test(`accepts ${name} of the ${side}`, () => {
        const bytes = Buffer.concat(frames.map((frame) => frameOf(frame, side)));
        assert.deepEqual(readMessages([bytes], side), lines);
        assert.deepEqual(readMessages(byteByByte(bytes), side), lines);
      });
    }
  }

  const text = { opcode: 1, payload: "a" };
  const open = { opcode: 1, payload: "a", isFinal: false };
  const refused: { name: string; rule: RegExp; side?: WebSocketSide; bytes: Buffer | number[] }[] =
    [
      ...[0x40, 0x20, 0x10].map((bit) => ({
        name: `reserved bit 0x${bit.toString(16)}`,
        rule: /reserved bit/,
        bytes: [0x81 | bit, 0],
      })),
      ...[3, 4, 5, 6, 7, 0xb, 0xc, 0xd, 0xe, 0xf].map((opcode) => ({
        name: `opcode ${opcode}`,
        rule: /opcode/,
        bytes: [0x80 | opcode, 0],
      })),
      { name: "a mask of the server", rule: /is masked/, bytes: frameOf(text, "guest") },
      {
        name: "no mask of the client",
        rule: /not masked/,
        side: "guest",
        bytes: frameOf(text, "upstream"),
      },
      { name: "a fragmented ping", rule: /fragmented/, bytes: [0x09, 0] },
      { name: "a fragmented close", rule: /fragmented/, bytes: [0x08, 0] },
      { name: "a ping of 126 bytes", rule: /125/, bytes: [0x89, 126, 0, 126] },
      { name: "a ping of no bytes in two length bytes", rule: /125/, bytes: [0x89, 126] },
      { name: "125 bytes in two length bytes", rule: /shortest/, bytes: [0x82, 126, 0, 125] },
      {
        name: "65,535 bytes in eight length bytes",
        rule: /shortest/,
        bytes: [0x82, 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff],
      },
      {
        name: "the highest bit of a length",
        rule: /2\^53/,
        bytes: [0x82, 127, 0x80, 0, 0, 0, 0, 1, 0, 0],
      },
      { name: "a length of 2^53", rule: /2\^53/, bytes: [0x82, 127, 0, 0x20, 0, 0, 0, 0, 0, 0] },
      { name: "a continuation of nothing", rule: /no message/, bytes: [0x80, 0] },
      {
        name: "a continuation after the final frame",
        rule: /no message/,
        bytes: Buffer.concat([frameOf(text, "upstream"), Buffer.from([0x80, 0])]),
      },
      {
        name: "a message inside another",
        rule: /inside another/,
        bytes: Buffer.concat([frameOf(open, "upstream"), frameOf(text, "upstream")]),
      },
      ...["\x03", close(0), close(999), close(1004), close(1005), close(1006), close(1015)]
        .concat([close(5000), close(65_535)])
        .map((payload) => ({
          name: `a close with ${JSON.stringify(payload)}`,
          rule: /close frame/,
          bytes: frameOf({ opcode: 8, payload }, "upstream"),
        })),
    ];
  for (const { name, rule, side = "upstream", bytes } of refused) {
    test(`refuses ${name}`, () => {
      const parts = Buffer.from(bytes);
      const expected = (error: unknown) =>
        error instanceof WebSocketProtocolError && error.sender === side && rule.test(error.rule);
      assert.throws(() => readMessages([parts], side), expected);
      assert.throws(() => readMessages(byteByByte(parts), side), expected);
    });
  }

  test("accepts a length of 2^53 - 1 and yields payload before its end", () => {
    const head = Buffer.from([0x82, 127, 0, 0x1f, 255, 255, 255, 255, 255, 255]);
    assert.deepEqual(readMessages([head, Buffer.from("some")], "upstream"), []);
  });

  test("finds the same messages wherever the bytes are split", () => {
    const random = createSeededRandom(17);
    for (let round = 0; round < 400; round += 1) {
      const side = random.pick(sides);
      const { bytes, lines } = randomStream(random, side);
      assert.deepEqual(
        readMessages(splitAtRandom(bytes, random.pick([3, 40, 4000]), random), side),
        lines,
      );
    }
  });

  test("throws only WebSocketProtocolError, at the same byte, whatever arrives", () => {
    const random = createSeededRandom(19);
    const outcome = (parts: readonly Buffer[], side: WebSocketSide) => {
      try {
        return readMessages(parts, side).length;
      } catch (error) {
        assert.ok(error instanceof WebSocketProtocolError, String(error));
        return error.rule;
      }
    };
    for (let round = 0; round < 3000; round += 1) {
      const side = random.pick(sides);
      let bytes = random.bytes(1 + random.below(60));
      if (round % 2 === 0) {
        bytes = randomStream(random, side).bytes;
        for (let change = random.below(3); change >= 0; change -= 1) {
          bytes[random.below(Math.min(bytes.length, 40))] = random.below(256);
        }
      }
      assert.equal(outcome(splitAtRandom(bytes, 9, random), side), outcome([bytes], side));
    }
  });
});
