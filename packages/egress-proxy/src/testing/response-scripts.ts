import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import type { Protocol } from "../upstream/upstream-protocols.ts";
import { frameOf } from "../websocket/testing/web-socket-frames.ts";
import { splitAtRandom } from "./http-split.ts";
import {
  clientBeginning,
  dataFrame,
  type FieldList,
  frameFlags,
  headersFrame,
} from "./http2-frames.ts";
import { nearMisses } from "./near-misses.ts";
import type { Script, Step } from "./scripted-exchange.ts";
import type { SeededRandom } from "./seeded-random.ts";
import type { ValuePair } from "./value-pairs.ts";
import { holdsWhole } from "./whole-value-oracle.ts";

export const framings = ["short", "long", "chunked", "close", "events"] as const;
export type Framing = (typeof framings)[number];

export const codings = [
  "identity",
  "utf-8",
  "gzip",
  "deflate",
  "br",
  "zstd",
  "gzip, br",
  "unlabelled gzip",
] as const;
export type Coding = (typeof codings)[number];

export const compressions: Readonly<Record<Coding, (body: Buffer) => Buffer>> = {
  identity: (body) => body,
  "utf-8": (body) => body,
  gzip: (body) => gzipSync(body),
  deflate: (body) => deflateSync(body),
  br: (body) => brotliCompressSync(body),
  zstd: (body) => zstdCompressSync(body),
  "gzip, br": (body) => brotliCompressSync(gzipSync(body)),
  "unlabelled gzip": (body) => gzipSync(body),
};

/** Whether bodies in this coding are compressed; `utf-8` is a label that some servers write. */
export function isCompression(coding: Coding): boolean {
  return coding !== "identity" && coding !== "utf-8";
}

export interface ResponseShape {
  readonly framing: Framing;
  readonly coding: Coding;
  readonly guestMinorVersion: 0 | 1;
  readonly hasBudget: boolean;
  /** What the guest speaks; HTTP/1.1 or 1.0 when absent. */
  readonly guest?: Protocol;
}

const latin1 = (text: string) => Buffer.from(text, "latin1");

/** The bytes of a response with this body, and with these field lines and trailer lines. */
export function responseOf(
  body: Buffer,
  { framing, coding }: Pick<ResponseShape, "framing" | "coding">,
  random: SeededRandom,
  lines: { readonly reason?: string; readonly fields?: string; readonly trailers?: string } = {},
): Buffer {
  const encoded = compressions[coding](body);
  const head = [
    `HTTP/1.1 200 ${lines.reason ?? "OK"}\r\n${lines.fields ?? ""}`,
    coding === "identity" || coding === "unlabelled gzip" ? "" : `Content-Encoding: ${coding}\r\n`,
    framing === "events" ? "Content-Type: text/event-stream\r\n" : "",
    framing === "chunked" ? "Transfer-Encoding: chunked\r\n" : "",
    framing === "close" || framing === "chunked" ? "" : `Content-Length: ${encoded.length}\r\n`,
    "\r\n",
  ].join("");
  if (framing !== "chunked") return Buffer.concat([latin1(head), encoded]);
  const chunks = splitAtRandom(encoded, random.pick([3, 50, 5000]), random)
    .filter((chunk) => chunk.length > 0)
    .map((chunk) =>
      Buffer.concat([latin1(`${chunk.length.toString(16)}\r\n`), chunk, latin1("\r\n")]),
    );
  return Buffer.concat([latin1(head), ...chunks, latin1(`0\r\n${lines.trailers ?? ""}\r\n`)]);
}

/** A guest's request; with a token in a header field, which becomes the value upstream. */
export function requestOf(token: string, minorVersion: 0 | 1, method = "GET"): Step {
  const text = `${method} /path HTTP/1.${minorVersion}\r\nHost: api.example.com\r\nAuthorization: Bearer ${token}\r\n\r\n`;
  return { at: "guest", does: "sends", bytes: latin1(text) };
}

/** The same over HTTP/2, on the first stream of its connection. */
export function http2RequestOf(token: string, method = "GET", more: FieldList = []): Step {
  const fields: FieldList = [
    [":method", method],
    [":scheme", "https"],
    [":authority", "api.example.com"],
    [":path", "/path"],
    ["authorization", `Bearer ${token}`],
    ...more,
  ];
  const bytes = Buffer.concat([clientBeginning(), headersFrame(1, fields, frameFlags.endStream)]);
  return { at: "guest", does: "sends", bytes };
}

/** A near miss that is allowed in a line of a head. */
export function lineOf(random: SeededRandom, pair: ValuePair): string {
  for (;;) {
    const bytes = nearMisses(random, pair, 4).filter((byte) => byte >= 0x20 && byte !== 0x7f);
    const line = Buffer.from(bytes).toString("latin1");
    if (!holdsWhole(latin1(line), pair.value) && !holdsWhole(latin1(line), pair.other)) return line;
  }
}

function fieldLines(random: SeededRandom, pair: ValuePair): string {
  let text = "";
  for (let count = random.below(3); count > 0; count -= 1) {
    const name = lineOf(random, pair).replace(/[^!#$%&'*+.^_`|~0-9A-Za-z-]/g, "");
    const isShort = random.below(2) === 0 || name === "";
    text += `${isShort ? "X-Echo" : `X${name}`}: ${lineOf(random, pair)}\r\n`;
  }
  return holdsWhole(latin1(text), pair.value) || holdsWhole(latin1(text), pair.other) ? "" : text;
}

export function bodyOf(
  random: SeededRandom,
  pair: ValuePair,
  { framing, coding, hasBudget }: ResponseShape,
) {
  const text = nearMisses(random, pair);
  const isLong = framing === "long" || (isCompression(coding) && !hasBudget);
  if (!isLong) return text.subarray(0, framing === "short" ? 1900 : text.length);
  const filler = Buffer.from(
    "<p>words that stand between</p>\n".repeat(isCompression(coding) ? 3000 : 70),
  );
  return Buffer.concat([text, filler, nearMisses(random, pair)]);
}

/** What else happens while a response arrives: pauses, stalls, a rotation, an early end. */
export function disturb(
  random: SeededRandom,
  steps: Step[],
  { mayBreakOff, mayStall }: { readonly mayBreakOff: boolean; readonly mayStall: boolean },
): void {
  const insert = (step: Step, from = 1) => {
    const at = from + random.below(steps.length - from + 1);
    steps.splice(at, 0, step);
    return at;
  };
  for (let count = random.below(4); count > 0; count -= 1) {
    insert({ at: "clock", milliseconds: random.pick([1, 60, 300, 2500]) });
  }
  if (random.below(4) === 0 && mayStall) {
    const stalled = insert({ at: "guest", does: "stalls" });
    insert({ at: "clock", milliseconds: 1500 }, stalled);
    insert({ at: "guest", does: "continues" }, stalled);
  }
  if (random.below(4) === 0) insert({ at: "session" });
  if (random.below(8) === 0) insert({ at: "guest", does: "ends" });
  if (!mayBreakOff) return;
  const broken = insert(
    random.pick<Step>([
      { at: "guest", does: "resets" },
      { at: "upstream", does: "resets" },
      { at: "upstream", does: "ends" },
      { at: "clock", milliseconds: 9000 },
    ]),
  );
  if (random.below(2) === 0) steps.length = broken + 1;
}

export function arrivals(random: SeededRandom, bytes: Buffer): Step[] {
  const partMax = Math.max(random.pick([20, 200, 1460, 100_000]), Math.ceil(bytes.length / 25));
  return splitAtRandom(bytes, partMax, random)
    .filter((part) => part.length > 0)
    .map((part): Step => ({ at: "upstream", does: "sends", bytes: part }));
}

/** An exchange whose response nearly has one or the other value of the pair, in a random place. */
export function responseScript(
  random: SeededRandom,
  pair: ValuePair,
  token: string,
  shape: ResponseShape,
): Script {
  const { framing, coding, guestMinorVersion, hasBudget } = shape;
  const interim =
    random.below(5) === 0
      ? `HTTP/1.1 103 ${lineOf(random, pair)}\r\n${fieldLines(random, pair)}\r\n`
      : "";
  const method = random.below(10) === 0 ? "HEAD" : "GET";
  const response = responseOf(bodyOf(random, pair, shape), { framing, coding }, random, {
    reason: lineOf(random, pair),
    fields: fieldLines(random, pair),
    trailers: fieldLines(random, pair),
  });
  const whole = random.below(14) === 0 ? notModified(random, pair) : response;
  const steps = [
    shape.guest === "h2"
      ? http2RequestOf(token, method)
      : requestOf(token, guestMinorVersion, method),
    ...arrivals(random, Buffer.concat([latin1(interim), whole])),
  ];
  // A decoder that waits for the guest cannot be distinguished from one that works.
  const mayStall = hasBudget || !isCompression(coding) || coding === "unlabelled gzip";
  disturb(random, steps, { mayBreakOff: random.below(4) === 0, mayStall });
  if (framing === "close" || random.below(3) === 0) steps.push({ at: "upstream", does: "ends" });
  return {
    steps,
    budgetBytes: hasBudget ? 16 * 1024 * 1024 : 0,
    decompresses: isCompression(coding),
    ...(shape.guest === undefined ? {} : { guest: shape.guest }),
  };
}

/** An exchange whose compressed request has tokens next to near misses of a pair's values, and is damaged at times. */
export function compressedRequestScript(
  random: SeededRandom,
  pair: ValuePair,
  token: string,
  guest: Protocol = "http/1.1",
): Script {
  const coding = random.pick(["gzip", "deflate", "br", "zstd", "gzip, br"] as const);
  const tokens = latin1(`\n${token}\n`.repeat(random.below(3)));
  const text = Buffer.concat([nearMisses(random, pair), tokens, nearMisses(random, pair)]);
  const body = compressions[coding](text);
  if (random.below(4) === 0) body[random.below(body.length)] = random.below(256);
  const request =
    guest === "h2"
      ? http2CompressedRequest(random, coding, body)
      : Buffer.concat([
          latin1(
            `POST /path HTTP/1.1\r\nHost: api.example.com\r\nContent-Type: text/plain\r\nContent-Encoding: ${coding}\r\nContent-Length: ${body.length}\r\n\r\n`,
          ),
          body,
        ]);
  const parts = splitAtRandom(request, Math.ceil(request.length / 5), random);
  return {
    steps: [
      ...parts
        .filter(({ length }) => length > 0)
        .map((bytes): Step => ({ at: "guest", does: "sends", bytes })),
      {
        at: "upstream",
        does: "sends",
        bytes: latin1("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
      },
      { at: "upstream", does: "ends" },
    ],
    budgetBytes: random.pick([0, 64 * 1024, 32 * 1024 * 1024]),
    decompresses: true,
    guest,
  };
}

/** A request of which the body's length is declared or not, in frames cut at random. */
function http2CompressedRequest(random: SeededRandom, coding: Coding, body: Buffer): Buffer {
  const length: FieldList = random.below(2) === 0 ? [["content-length", String(body.length)]] : [];
  const fields: FieldList = [
    [":method", "POST"],
    [":scheme", "https"],
    [":authority", "api.example.com"],
    [":path", "/path"],
    ["content-type", "text/plain"],
    ["content-encoding", coding],
    ...length,
  ];
  const parts = splitAtRandom(body, Math.max(200, Math.ceil(body.length / 10)), random);
  return Buffer.concat([
    clientBeginning(),
    headersFrame(1, fields),
    ...parts.map((part) => dataFrame(1, part)),
    dataFrame(1, Buffer.alloc(0), frameFlags.endStream),
  ]);
}

function notModified(random: SeededRandom, pair: ValuePair): Buffer {
  return latin1(
    `HTTP/1.1 304 ${lineOf(random, pair)}\r\n${fieldLines(random, pair)}Content-Length: 9\r\n\r\n`,
  );
}

/** Near misses that the upstream of a WebSocket sends, in messages cut into frames. */
export function upstreamMessages(random: SeededRandom, pair: ValuePair): Buffer {
  const frames: Buffer[] = [];
  for (let count = 1 + random.below(5); count > 0; count -= 1) {
    const payload = nearMisses(random, pair, 5);
    const parts = splitAtRandom(payload, Math.max(30, Math.ceil(payload.length / 4)), random);
    const opcode = random.pick([1, 2]);
    for (const [at, part] of [...parts, Buffer.alloc(0)].entries()) {
      const isFinal = at === parts.length;
      frames.push(frameOf({ opcode: at === 0 ? opcode : 0, payload: part, isFinal }, "upstream"));
      if (random.below(6) > 0) continue;
      frames.push(
        frameOf({ opcode: 9, payload: nearMisses(random, pair, 1).subarray(0, 60) }, "upstream"),
      );
    }
  }
  return Buffer.concat(frames);
}

/** What opens a WebSocket over HTTP/1.1. */
export function webSocketRequestOf(token: string): Step {
  const text = `GET /socket HTTP/1.1\r\nHost: api.example.com\r\nAuthorization: Bearer ${token}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n`;
  return { at: "guest", does: "sends", bytes: latin1(text) };
}

/** A WebSocket on which both sides send near misses. */
export function webSocketScript(random: SeededRandom, pair: ValuePair, token: string): Script {
  const fromUpstream = upstreamMessages(random, pair);
  const toUpstream = guestMessages(random, pair, token);
  const handshake = `HTTP/1.1 101 ${lineOf(random, pair)}\r\nUpgrade: websocket\r\n${fieldLines(random, pair)}Connection: Upgrade\r\n\r\n`;
  const steps: Step[] = [
    webSocketRequestOf(token),
    ...arrivals(random, Buffer.concat([latin1(handshake), fromUpstream])),
  ];
  insertAtRandom(random, steps, splitAtRandom(toUpstream, 200, random));
  disturb(random, steps, { mayBreakOff: random.below(4) === 0, mayStall: true });
  if (random.below(2) === 0) steps.push({ at: "upstream", does: "ends" });
  return {
    steps,
    budgetBytes: random.pick([1000, 16 * 1024 * 1024]),
    decompresses: false,
    masks: true,
  };
}

/** Inserts what the guest sends after the first step, in this order. */
export function insertAtRandom(
  random: SeededRandom,
  steps: Step[],
  parts: readonly Buffer[],
  from = 1,
): void {
  let at = from;
  for (const bytes of parts) {
    if (bytes.length === 0) continue;
    at += random.below(steps.length + 1 - at);
    steps.splice(at, 0, { at: "guest", does: "sends", bytes });
    at += 1;
  }
}

/** Messages in which near misses are next to a token that becomes the value, in JSON and in other text. */
export function guestMessages(random: SeededRandom, pair: ValuePair, token: string): Buffer {
  const frames: Buffer[] = [];
  for (let count = random.below(4); count > 0; count -= 1) {
    const guess = nearMisses(random, pair, 3).toString("latin1");
    const payload = random.pick([
      JSON.stringify({ key: token, guess }),
      JSON.stringify({ key: `${guess}${token}${guess}` }),
      `${guess}${token}${guess}`,
    ]);
    const parts = splitAtRandom(latin1(payload), payload.length, random);
    for (const [at, part] of [...parts, Buffer.alloc(0)].entries()) {
      const isFinal = at === parts.length;
      frames.push(frameOf({ opcode: at === 0 ? 1 : 0, payload: part, isFinal }, "guest"));
    }
  }
  return Buffer.concat(frames);
}
