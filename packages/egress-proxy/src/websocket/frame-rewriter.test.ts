import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { splitAtRandom } from "../testing/http-split.ts";
import { createSeededRandom } from "../testing/seeded-random.ts";
import { WebSocketProtocolError } from "./frame.ts";
import { FrameRewriter } from "./frame-rewriter.ts";
import { passingTransform, replacingTransform } from "./testing/replacing-transform.ts";
import {
  frameOf,
  frameShapes,
  randomStream,
  readMessages,
  type TestFrame,
} from "./testing/web-socket-frames.ts";

const value = "tk-5fJ9qLw2ZxPb7Rm4";
const token = "opencomputer-sealed-token-of-a-constant-length";

function toGuest() {
  const transform = () => replacingTransform(value, token);
  return new FrameRewriter("upstream", { message: transform, control: transform });
}

/** What the rewriter writes for each arrival, in one piece. */
function rewrite(rewriter: FrameRewriter, arrivals: readonly Buffer[]): Buffer[] {
  return arrivals.map((arrival) => Buffer.concat([...rewriter.push(Buffer.from(arrival))]));
}

const server = (...frames: TestFrame[]) =>
  Buffer.concat(frames.map((frame) => frameOf(frame, "upstream")));

/** Splits before each of these places. */
function cut(bytes: Buffer, ...places: number[]): Buffer[] {
  return [0, ...places].map((from, at) => bytes.subarray(from, places[at] ?? bytes.length));
}

describe("FrameRewriter", () => {
  test("sends a message that arrives at once as one frame, whatever its content", () => {
    for (const payload of ["", "a", value, `a${value}b`, value.slice(0, -1), "x".repeat(70_000)]) {
      const out = Buffer.concat(rewrite(toGuest(), [server({ opcode: 1, payload })]));
      const expected = payload.replaceAll(value, token);
      assert.deepEqual(frameShapes(out), [`1:${expected.length}`]);
      assert.deepEqual(readMessages([out], "upstream"), [`text ${expected}`]);
    }
  });

  test("sends fragments that arrive together as one frame", () => {
    const bytes = server(
      { opcode: 1, payload: value.slice(0, 5), isFinal: false },
      { opcode: 0, payload: value.slice(5) },
      { opcode: 2, payload: "next" },
    );
    const out = Buffer.concat(rewrite(toGuest(), [bytes]));
    assert.deepEqual(frameShapes(out), [`1:${token.length}`, "2:4"]);
  });

  test("fragments a message by arrivals, not by its content", () => {
    const same = (text: string) => {
      const payload = `${"-".repeat(60)}${text}${"-".repeat(60)}`;
      const bytes = server({ opcode: 1, payload });
      return rewrite(toGuest(), cut(bytes, 1, 40, 70, 75, 90)).map((out) => frameShapes(out));
    };
    const expected = same("#".repeat(value.length));
    assert.deepEqual(expected.at(-1)?.length, 1);
    for (let agreeing = 0; agreeing < value.length; agreeing += 1) {
      assert.deepEqual(same(value.slice(0, agreeing).padEnd(value.length, "#")), expected);
      assert.deepEqual(same(value.slice(agreeing + 1).padStart(value.length, "#")), expected);
    }
  });

  test("ends a message with an empty final frame when nothing is left to send", () => {
    const rewriter = new FrameRewriter("upstream", { message: passingTransform });
    const out = rewrite(rewriter, [
      server({ opcode: 2, payload: "abc", isFinal: false }),
      server({ opcode: 0, payload: "", isFinal: false }),
      server({ opcode: 0, payload: "" }),
    ]);
    assert.deepEqual(out.map(frameShapes), [["2.3"], [], ["0:0"]]);
  });

  test("passes a control frame before what the same arrival adds to its message", () => {
    const rewriter = new FrameRewriter("upstream", { message: passingTransform });
    const out = rewrite(rewriter, [
      server(
        { opcode: 1, payload: "a", isFinal: false },
        { opcode: 9, payload: "p" },
        { opcode: 0, payload: "b", isFinal: false },
      ),
    ]);
    assert.deepEqual(out.map(frameShapes), [["9:1", "1.2"]]);
  });

  test("frames to a server are masked, each with a different key", () => {
    const rewriter = new FrameRewriter("guest", { message: passingTransform });
    const arrival = frameOf({ opcode: 1, payload: "same" }, "guest");
    const [first = Buffer.alloc(0), second = Buffer.alloc(0)] = rewrite(rewriter, [
      arrival,
      arrival,
    ]);
    assert.notDeepEqual(first.subarray(2, 6), second.subarray(2, 6));
    assert.deepEqual(readMessages([first, second], "guest"), ["text same", "text same"]);
  });

  const control = [
    { name: "a ping", opcode: 9, payload: `a${value}b`, out: `ping a${token}b` },
    { name: "a pong", opcode: 10, payload: value, out: `pong ${token}` },
    { name: "a ping that grows too long", opcode: 9, payload: value.repeat(6), out: "ping " },
    {
      name: "a close reason",
      opcode: 8,
      payload: `\x03\xe8${value}`,
      out: `close \x03\xe8${token}`,
    },
    {
      name: "a close reason that grows too long, between characters",
      opcode: 8,
      payload: `\x03\xe8${value}${"\xc3\xa4".repeat(51)}`,
      out: `close \x03\xe8${token}${"\xc3\xa4".repeat(Math.floor((123 - token.length) / 2))}`,
    },
    { name: "a close without a code", opcode: 8, payload: "", out: "close " },
  ];
  for (const { name, opcode, payload, out } of control) {
    test(`redacts ${name}`, () => {
      const bytes = server({ opcode, payload });
      assert.deepEqual(readMessages(rewrite(toGuest(), [bytes]), "upstream"), [out]);
      assert.deepEqual(readMessages(rewrite(toGuest(), cut(bytes, 1, 3)), "upstream"), [out]);
    });
  }

  test("keeps control frames of the guest unchanged", () => {
    const rewriter = new FrameRewriter("guest", {
      message: () => replacingTransform(token, value),
    });
    const frames = [
      { opcode: 9, payload: token },
      { opcode: 1, payload: token },
      { opcode: 8, payload: `\x03\xe8${token}` },
    ].map((frame) => frameOf(frame, "guest"));
    assert.deepEqual(readMessages(rewrite(rewriter, frames), "guest"), [
      `ping ${token}`,
      `text ${value}`,
      `close \x03\xe8${token}`,
    ]);
  });

  test("drops what follows a close frame, and what was held back of a message before it", () => {
    const rewriter = toGuest();
    const out = rewrite(rewriter, [
      server({ opcode: 1, payload: value.slice(0, 9), isFinal: false }),
      server({ opcode: 8, payload: "\x03\xe8" }, { opcode: 0, payload: "late" }),
      Buffer.from("garbage"),
    ]);
    assert.equal(rewriter.closed, true);
    assert.deepEqual(out.map(frameShapes), [[], ["8:2"], []]);
  });

  test("sends what comes before a broken rule, then throws", () => {
    const rewriter = toGuest();
    const pushed = rewriter.push(
      Buffer.concat([
        server({ opcode: 1, payload: "whole" }, { opcode: 1, payload: "a" }),
        Buffer.from([0xff, 0]),
      ]),
    );
    const first = pushed.next();
    assert.ok(first.done !== true);
    assert.deepEqual(frameShapes(first.value), ["1:5", "1:1"]);
    assert.throws(() => pushed.next(), WebSocketProtocolError);
  });

  test("sends many large values of one arrival in frames of bounded size", () => {
    const large = Buffer.alloc(64 * 1024, "v");
    const rewriter = new FrameRewriter("guest", {
      message: () => ({ push: () => Array.from({ length: 100 }, () => large), end: () => [] }),
    });
    let writes = 0;
    let sent = 0;
    for (const out of rewriter.push(frameOf({ opcode: 2, payload: "tokens" }, "guest"))) {
      assert.ok(out.length < 330 * 1024);
      writes += 1;
      sent += out.length;
    }
    assert.equal(writes, 26);
    assert.ok(sent > 100 * large.length);
    assert.deepEqual(large, Buffer.alloc(64 * 1024, "v"));
  });

  test("keeps every message and control frame, wherever the bytes are split", () => {
    const random = createSeededRandom(23);
    for (let round = 0; round < 300; round += 1) {
      const side = random.pick(["guest", "upstream"] as const);
      const { bytes, lines } = randomStream(random, side);
      const transform = () => replacingTransform("no such text", "");
      const rewriter = new FrameRewriter(side, { message: transform, control: transform });
      const out = rewrite(rewriter, splitAtRandom(bytes, random.pick([3, 40, 4000]), random));
      assert.deepEqual(readMessages(out, side).sort(), lines.sort());
    }
  });
});
