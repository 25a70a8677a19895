import type { Duplex } from "node:stream";
import {
  dataFrame,
  type FieldList,
  frameFlags,
  frameOf,
  frameTypes,
  headerBlock,
  headersFrame,
  integer,
  resetFrame,
  settingIds,
  settingsFrame,
  windowUpdateFrame,
} from "./http2-frames.ts";

/** Makes the frames of one batch; `batch` counts from 0. */
export type Flood = (batch: number) => Buffer;

const framesPerBatch = 200;
const none = Buffer.alloc(0);
const cancel = 8;

function always(frame: Buffer): Flood {
  const batch = repeated(frame, framesPerBatch);
  return () => batch;
}

function repeated(frame: Buffer, count: number): Buffer {
  return Buffer.concat(Array.from({ length: count }, () => frame));
}

/** Frames without end that either side may send; `stream` is open. */
export function floodsOn(stream: number): ReadonlyMap<string, Flood> {
  const padding = Buffer.concat([Buffer.of(9), Buffer.alloc(9)]);
  return new Map<string, Flood>([
    ["PING", always(frameOf(frameTypes.ping, {}, Buffer.alloc(8)))],
    ["acknowledged PING", always(frameOf(frameTypes.ping, { flags: 1 }, Buffer.alloc(8)))],
    ["SETTINGS", always(settingsFrame([[settingIds.headerTableSize, 4096]]))],
    ["acknowledged SETTINGS", always(frameOf(frameTypes.settings, { flags: frameFlags.ack }))],
    ["WINDOW_UPDATE of the connection", always(windowUpdateFrame(0, 1))],
    ["WINDOW_UPDATE of a stream", always(windowUpdateFrame(stream, 1))],
    ["PRIORITY", always(frameOf(frameTypes.priority, { stream: 1001 }, Buffer.alloc(5, 1)))],
    ["frames of an unknown type", always(frameOf(0x4a, {}, Buffer.alloc(20)))],
    ["empty DATA", always(dataFrame(stream, none))],
    ["DATA of padding alone", always(dataFrame(stream, padding, frameFlags.padded))],
    [
      "CONTINUATION of one header section",
      (batch) =>
        Buffer.concat([
          batch === 0 ? frameOf(frameTypes.headers, { stream: stream + 2 }, none) : none,
          repeated(
            frameOf(frameTypes.continuation, { stream: stream + 2 }, headerBlock([["a", "b"]])),
            framesPerBatch,
          ),
        ]),
    ],
  ]);
}

/** What a server may send besides. */
export function serverFloodsOn(stream: number): ReadonlyMap<string, Flood> {
  const hint: FieldList = [
    [":status", "103"],
    ["link", "</style.css>; rel=preload"],
  ];
  const origin = (batch: number, at: number) => {
    const text = Buffer.from(`https://host-${batch}-${at}.example.com`);
    const length = Buffer.alloc(2);
    length.writeUInt16BE(text.length);
    return Buffer.concat([length, text]);
  };
  return new Map<string, Flood>([
    ["interim responses", always(headersFrame(stream, hint))],
    ["large interim responses", always(headersFrame(stream, [...hint, ["x", "y".repeat(8000)]]))],
    [
      "ORIGIN",
      (batch) =>
        frameOf(
          frameTypes.origin,
          {},
          Buffer.concat(Array.from({ length: 300 }, (_, at) => origin(batch, at))),
        ),
    ],
    ["ALTSVC", always(frameOf(frameTypes.altsvc, {}, Buffer.from('\0\x01ah3=":443"')))],
    [
      "PUSH_PROMISE",
      always(
        frameOf(
          frameTypes.pushPromise,
          { stream, flags: frameFlags.endHeaders },
          Buffer.concat([Buffer.of(0, 0, 0, 2), headerBlock([[":method", "GET"]])]),
        ),
      ),
    ],
    ["trailers without an end", always(headersFrame(stream, [["a", "b"]]))],
  ]);
}

/** What a client may send besides; `request` has the fields of a request. */
export function clientFloods(request: FieldList): ReadonlyMap<string, Flood> {
  const from = (batch: number) => 1003 + batch * framesPerBatch * 2;
  const each = (batch: number, make: (stream: number) => Buffer) =>
    Buffer.concat(Array.from({ length: framesPerBatch }, (_, at) => make(from(batch) + 2 * at)));
  return new Map<string, Flood>([
    ["streams that stay open", (batch) => each(batch, (stream) => headersFrame(stream, request))],
    [
      "streams that are reset at once",
      (batch) =>
        each(batch, (stream) =>
          Buffer.concat([headersFrame(stream, request), resetFrame(stream, cancel)]),
        ),
    ],
    [
      "heads that are malformed",
      (batch) => each(batch, (stream) => headersFrame(stream, [["A", "b"]], frameFlags.endStream)),
    ],
    ["bombs of HPACK", (batch) => bomb(from(batch), request)],
  ]);
}

/** One field of 4,000 bytes, and 10,000 references to it, of a byte each. */
function bomb(stream: number, request: FieldList): Buffer {
  const name = Buffer.concat([integer(1, 7), Buffer.from("a")]);
  const value = Buffer.concat([integer(4000, 7), Buffer.alloc(4000, "b")]);
  const indexed = Buffer.concat([Buffer.of(0x40), name, value]);
  const references = Buffer.alloc(10_000, 0x80 | 62);
  return frameOf(
    frameTypes.headers,
    { stream, flags: frameFlags.endHeaders | frameFlags.endStream },
    Buffer.concat([headerBlock(request), indexed, references]),
  );
}

/**
 * Writes batches until the other side closes the connection. Rejects when it
 * has taken `bytesMax`, and still has not.
 */
export async function floodUntilClosed(
  socket: Duplex,
  flood: Flood,
  bytesMax: number,
): Promise<void> {
  let isClosed = socket.destroyed;
  const closed = new Promise<void>((resolve) => {
    const note = () => {
      isClosed = true;
      resolve();
    };
    socket.once("close", note);
    socket.once("end", note);
  });
  let bytes = 0;
  for (let batch = 0; !isClosed; batch += 1) {
    const frames = flood(batch);
    bytes += frames.length;
    if (bytes > bytesMax) throw new Error(`The connection is still open after ${bytesMax} bytes`);
    const isTaken = new Promise<void>((resolve) => socket.write(frames, () => resolve()));
    await Promise.race([isTaken, closed]);
    // What the other side sent is seen, too.
    await new Promise((resolve) => setImmediate(resolve));
  }
}
