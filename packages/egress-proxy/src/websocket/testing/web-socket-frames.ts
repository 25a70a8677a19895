import type { SeededRandom } from "../../testing/seeded-random.ts";
import type { WebSocketSide } from "../frame.ts";
import { FrameParser } from "../frame-parser.ts";

export interface TestFrame {
  readonly opcode: number;
  readonly payload: Buffer | string;
  readonly isFinal?: boolean;
}

/** A frame written byte by byte after RFC 6455 §5.2, independent of the code under test. */
export function frameOf(frame: TestFrame, sender: WebSocketSide, key = "\x01\x02\x03\x04"): Buffer {
  const payload = Buffer.from(frame.payload as string, "latin1");
  const mask = sender === "guest" ? 0x80 : 0;
  const length = payload.length;
  const head = [(frame.isFinal === false ? 0 : 0x80) | frame.opcode];
  if (length < 126) head.push(mask | length);
  else if (length < 65_536) head.push(mask | 126, length >> 8, length & 0xff);
  else
    head.push(
      mask | 127,
      0,
      0,
      0,
      0,
      length >>> 24,
      (length >> 16) & 0xff,
      (length >> 8) & 0xff,
      length & 0xff,
    );
  if (sender === "upstream") return Buffer.concat([Buffer.from(head), payload]);
  const keyBytes = Buffer.from(key, "latin1");
  const masked = payload.map((byte, at) => byte ^ (keyBytes[at % 4] ?? 0));
  return Buffer.concat([Buffer.from(head), keyBytes, masked]);
}

/** Returns the messages and control frames that a receiver reads from the parts, one line each. */
export function readMessages(parts: Iterable<Buffer>, sender: WebSocketSide): string[] {
  const parser = new FrameParser(sender);
  const lines: string[] = [];
  let kind = "";
  let message: Buffer[] = [];
  for (const part of parts) {
    for (const event of parser.push(Buffer.from(part))) {
      if (event.type === "message") kind = event.kind;
      else if (event.type === "payload") message.push(event.bytes);
      else if (event.type === "control") {
        lines.push(`${event.kind} ${event.payload.toString("latin1")}`);
      } else {
        lines.push(`${kind} ${Buffer.concat(message).toString("latin1")}`);
        message = [];
      }
    }
  }
  return lines;
}

/** The frames among these bytes, as `opcode[.]length`, with a dot when more follow. */
export function frameShapes(bytes: Buffer): string[] {
  const shapes: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const [first = 0, second = 0] = bytes.subarray(at);
    let length = second & 0x7f;
    let head = 2;
    if (length === 126) {
      length = bytes.readUInt16BE(at + 2);
      head = 4;
    } else if (length === 127) {
      length = Number(bytes.readBigUInt64BE(at + 2));
      head = 10;
    }
    if ((second & 0x80) !== 0) head += 4;
    shapes.push(`${(first & 0x0f).toString(16)}${(first & 0x80) === 0 ? "." : ":"}${length}`);
    at += head + length;
  }
  return shapes;
}

/** A stream of messages, fragmented at random, with control frames between. */
export function randomStream(random: SeededRandom, sender: WebSocketSide) {
  const frames: Buffer[] = [];
  const lines: string[] = [];
  const add = (opcode: number, payload: Buffer, isFinal: boolean) =>
    frames.push(frameOf({ opcode, payload, isFinal }, sender, random.bytes(4).toString("latin1")));
  const maybePing = () => {
    if (random.below(4) !== 0) return;
    const payload = random.bytes(random.below(126));
    const opcode = random.pick([0x9, 0xa]);
    add(opcode, payload, true);
    lines.push(`${opcode === 0x9 ? "ping" : "pong"} ${payload.toString("latin1")}`);
  };
  for (let message = random.below(5); message >= 0; message -= 1) {
    const opcode = random.pick([0x1, 0x2]);
    const fragments = Array.from({ length: 1 + random.below(4) }, () =>
      random.bytes(random.pick([0, 1, 7, 125, 126, 127, 300])),
    );
    for (const [at, fragment] of fragments.entries()) {
      maybePing();
      add(at === 0 ? opcode : 0, fragment, at === fragments.length - 1);
    }
    lines.push(
      `${opcode === 1 ? "text" : "binary"} ${Buffer.concat(fragments).toString("latin1")}`,
    );
  }
  return { bytes: Buffer.concat(frames), lines };
}
