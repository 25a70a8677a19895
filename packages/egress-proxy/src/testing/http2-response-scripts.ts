import type { Protocol } from "../upstream/upstream-protocols.ts";
import { splitAtRandom } from "./http-split.ts";
import {
  clientBeginning,
  dataFrame,
  type FieldList,
  frameFlags,
  frameOf,
  frameTypes,
  headersFrame,
  resetFrame,
  settingIds,
  settingsFrame,
} from "./http2-frames.ts";
import { nearMisses } from "./near-misses.ts";
import {
  arrivals,
  bodyOf,
  type Coding,
  compressions,
  disturb,
  type Framing,
  guestMessages,
  http2RequestOf,
  insertAtRandom,
  isCompression,
  lineOf,
  requestOf,
  upstreamMessages,
  webSocketRequestOf,
} from "./response-scripts.ts";
import type { Script, Step } from "./scripted-exchange.ts";
import type { SeededRandom } from "./seeded-random.ts";
import type { ValuePair } from "./value-pairs.ts";
import { holdsWhole } from "./whole-value-oracle.ts";

/** The stream of the first request on a connection. */
const stream = 1;
const internalError = 2;
const none = Buffer.alloc(0);

export interface Http2Response {
  readonly interim?: readonly FieldList[];
  readonly fields?: FieldList;
  readonly body: Buffer;
  readonly trailers?: FieldList;
  /** Whether the body's length is declared. */
  readonly hasLength: boolean;
}

/** The frames of a response, its body cut at random, with padding and empty frames between. */
export function http2ResponseOf(random: SeededRandom, response: Http2Response): Buffer {
  const { interim = [], fields = [], body, trailers = [], hasLength } = response;
  const length: FieldList = hasLength ? [["content-length", String(body.length)]] : [];
  const frames = [
    settingsFrame([]),
    ...interim.map((each) => headersFrame(stream, [[":status", "103"], ...each])),
    headersFrame(stream, [[":status", "200"], ...length, ...fields]),
  ];
  const partMax = random.pick([3, 50, 5000, 16_000]);
  for (const part of splitAtRandom(body, Math.max(partMax, body.length / 100), random)) {
    for (let at = 0; at < part.length; at += 16_000) {
      frames.push(paddedFrame(random, part.subarray(at, at + 16_000)));
    }
    if (random.below(10) === 0) frames.push(dataFrame(stream, none));
  }
  frames.push(
    trailers.length > 0
      ? headersFrame(stream, trailers, frameFlags.endStream)
      : dataFrame(stream, none, frameFlags.endStream),
  );
  return Buffer.concat(frames);
}

function paddedFrame(random: SeededRandom, data: Buffer): Buffer {
  if (random.below(4) > 0) return dataFrame(stream, data);
  const padding = random.below(20);
  const payload = Buffer.concat([Buffer.of(padding), data, Buffer.alloc(padding)]);
  return dataFrame(stream, payload, frameFlags.padded);
}

/** Fields of near misses, in their names too. */
function fieldsOf(random: SeededRandom, pair: ValuePair): FieldList {
  const fields = Array.from({ length: random.below(3) }, (): FieldList[number] => {
    const name = lineOf(random, pair)
      .toLowerCase()
      .replace(/[^!#$%&'*+.^_`|~0-9a-z-]/g, "");
    const isShort = random.below(2) === 0 || name === "";
    return [isShort ? "x-echo" : `x${name}`, lineOf(random, pair).trim()];
  });
  const text = Buffer.from(fields.map((field) => field.join(": ")).join("\r\n"), "latin1");
  return holdsWhole(text, pair.value) || holdsWhole(text, pair.other) ? [] : fields;
}

export interface Http2ResponseShape {
  readonly guest: Protocol;
  readonly framing: Framing;
  readonly coding: Coding;
  readonly hasBudget: boolean;
}

/** An exchange with an upstream that speaks HTTP/2, whose response nearly has one or the other value of the pair. */
export function http2ResponseScript(
  random: SeededRandom,
  pair: ValuePair,
  token: string,
  shape: Http2ResponseShape,
): Script {
  const { guest, framing, coding, hasBudget } = shape;
  const method = random.below(10) === 0 ? "HEAD" : "GET";
  const isLabelled = coding !== "identity" && coding !== "unlabelled gzip";
  const body = compressions[coding](bodyOf(random, pair, { ...shape, guestMinorVersion: 1 }));
  const response = http2ResponseOf(random, {
    interim: random.below(5) === 0 ? [fieldsOf(random, pair)] : [],
    fields: [
      ...fieldsOf(random, pair),
      ...(isLabelled ? [["content-encoding", coding] as const] : []),
      ...(framing === "events" ? [["content-type", "text/event-stream"] as const] : []),
    ],
    body: method === "HEAD" ? none : body,
    trailers: method === "HEAD" ? [] : fieldsOf(random, pair),
    hasLength: method !== "HEAD" && framing !== "chunked" && framing !== "close",
  });
  return scriptOf(random, {
    request: guest === "h2" ? http2RequestOf(token, method) : requestOf(token, 1, method),
    response,
    guest,
    hasBudget,
    isCompressed: isCompression(coding),
    mayStall: hasBudget || !isCompression(coding) || coding === "unlabelled gzip",
  });
}

/** A call of gRPC whose response messages nearly have one or the other value of the pair. */
export function grpcScript(random: SeededRandom, pair: ValuePair, token: string): Script {
  const messages = Array.from({ length: 1 + random.below(5) }, () => {
    const payload = nearMisses(random, pair, 4);
    const prefix = Buffer.alloc(5);
    prefix.writeUInt32BE(payload.length, 1);
    return Buffer.concat([prefix, payload]);
  });
  const response = http2ResponseOf(random, {
    fields: [["content-type", "application/grpc"], ...fieldsOf(random, pair)],
    body: Buffer.concat(messages),
    trailers: [["grpc-status", "0"], ...fieldsOf(random, pair)],
    hasLength: false,
  });
  return scriptOf(random, {
    request: http2RequestOf(token, "POST", [
      ["content-type", "application/grpc"],
      ["te", "trailers"],
    ]),
    response,
    guest: "h2",
    hasBudget: true,
    isCompressed: false,
    mayStall: true,
  });
}

/** A WebSocket with an upstream that takes it over HTTP/2, on which both sides send near misses. */
export function http2WebSocketScript(
  random: SeededRandom,
  pair: ValuePair,
  token: string,
  guest: Protocol,
): Script {
  const toUpstream = splitAtRandom(guestMessages(random, pair, token), 200, random).filter(
    ({ length }) => length > 0,
  );
  const fromUpstream = Buffer.concat([
    headersFrame(stream, [[":status", "200"], ...fieldsOf(random, pair)]),
    ...splitAtRandom(upstreamMessages(random, pair), random.pick([50, 5000]), random).map((part) =>
      paddedFrame(random, part),
    ),
    random.below(2) === 0 ? none : dataFrame(stream, none, frameFlags.endStream),
  ]);
  const steps: Step[] = [
    guest === "h2" ? http2ConnectOf(token) : webSocketRequestOf(token),
    {
      at: "upstream",
      does: "sends",
      bytes: settingsFrame([[settingIds.enableConnectProtocol, 1]]),
    },
    ...arrivals(random, fromUpstream),
  ];
  const sent = toUpstream.map((part) => (guest === "h2" ? dataFrame(stream, part) : part));
  const opened = 2;
  insertAtRandom(random, steps, sent, opened);
  disturb(random, steps, { mayBreakOff: random.below(4) === 0, mayStall: true });
  if (random.below(6) === 0) breakOff(random, steps, guest);
  return {
    steps,
    budgetBytes: random.pick([1000, 16 * 1024 * 1024]),
    decompresses: false,
    guest,
    upstream: "h2",
  };
}

function http2ConnectOf(token: string): Step {
  const fields: FieldList = [
    [":method", "CONNECT"],
    [":protocol", "websocket"],
    [":scheme", "https"],
    [":authority", "api.example.com"],
    [":path", "/socket"],
    ["authorization", `Bearer ${token}`],
    ["sec-websocket-version", "13"],
  ];
  const bytes = Buffer.concat([clientBeginning(), headersFrame(stream, fields)]);
  return { at: "guest", does: "sends", bytes };
}

function scriptOf(
  random: SeededRandom,
  parts: {
    readonly request: Step;
    readonly response: Buffer;
    readonly guest: Protocol;
    readonly hasBudget: boolean;
    readonly isCompressed: boolean;
    readonly mayStall: boolean;
  },
): Script {
  const { guest, hasBudget, isCompressed } = parts;
  const steps = [parts.request, ...arrivals(random, parts.response)];
  disturb(random, steps, {
    mayBreakOff: random.below(4) === 0,
    mayStall: parts.mayStall,
  });
  if (random.below(6) === 0) breakOff(random, steps, guest);
  if (random.below(3) === 0) steps.push({ at: "upstream", does: "ends" });
  return {
    steps,
    budgetBytes: hasBudget ? 16 * 1024 * 1024 : 0,
    decompresses: isCompressed,
    guest,
    upstream: "h2",
  };
}

/** Ends the exchange by a frame, inside of another one or between two, wherever the arrivals are cut. */
function breakOff(random: SeededRandom, steps: Step[], guest: Protocol): void {
  const at = 1 + random.below(steps.length);
  const goaway = frameOf(frameTypes.goaway, {}, Buffer.from([0, 0, 0, 1, 0, 0, 0, 0]));
  const broken: Step[] = [
    { at: "upstream", does: "sends", bytes: resetFrame(stream, internalError) },
    { at: "upstream", does: "sends", bytes: goaway },
  ];
  if (guest === "h2") {
    broken.push({ at: "guest", does: "sends", bytes: resetFrame(stream, internalError) });
  }
  steps.splice(at, 0, random.pick(broken));
}
