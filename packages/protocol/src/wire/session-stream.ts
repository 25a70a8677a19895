import { sessionFrames } from "../api/shapes/command-sessions.ts";

/** One event of a session's stream. */
export type SessionEvent =
  | { readonly type: "stdout" | "stderr"; readonly bytes: Uint8Array }
  | { readonly type: "replayEnd" }
  | { readonly type: "exit"; readonly exitCode: number };

/** Largest frame: what the agent sends at once. */
export const sessionFrameBytesMax = 64 * 1024;
const headBytes = 5;

/**
 * Encodes an event of a session's stream: a frame of its type, the length as a
 * big-endian uint32, and as many bytes. The types are those of
 * {@link sessionFrames}.
 */
export function encodeSessionEvent(event: SessionEvent): Uint8Array {
  const length = event.type === "exit" ? 4 : event.type === "replayEnd" ? 0 : event.bytes.length;
  const frame = new Uint8Array(headBytes + length);
  const view = new DataView(frame.buffer);
  view.setUint8(0, sessionFrames[event.type]);
  view.setUint32(1, length);
  if (event.type === "exit") view.setInt32(headBytes, event.exitCode);
  else if (event.type !== "replayEnd") frame.set(event.bytes, headBytes);
  return frame;
}

/**
 * Reads a session's stream, which comes from a guest and is not trusted: the
 * replay ends once, nothing follows the exit, and no frame is over the limit.
 *
 * @throws {Error} for a stream that breaks these rules, or ends without an exit.
 */
export async function* readSessionEvents(
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<SessionEvent, void, undefined> {
  let pending: Uint8Array = new Uint8Array(0);
  let replayed = false;
  let exited = false;
  for await (const chunk of source) {
    pending = pending.length === 0 ? chunk : concatenate(pending, chunk);
    let offset = 0;
    while (pending.length - offset >= headBytes) {
      const view = new DataView(pending.buffer, pending.byteOffset + offset);
      const length = view.getUint32(1);
      if (length > sessionFrameBytesMax) throw new Error(`A frame claims ${length} bytes`);
      if (pending.length - offset < headBytes + length) break;
      const start = offset + headBytes;
      const event = decode(view.getUint8(0), pending.subarray(start, start + length));
      offset = start + length;
      if (exited) throw new Error("A frame follows the exit");
      if (event.type === "replayEnd" && replayed) throw new Error("The replay ends twice");
      if (event.type === "exit" && !replayed) throw new Error("The replay does not end");
      replayed ||= event.type === "replayEnd";
      exited = event.type === "exit";
      yield event;
    }
    pending = pending.subarray(offset);
  }
  if (!exited) throw new Error("The stream ended before the command did");
  if (pending.length > 0) throw new Error("Bytes follow the exit");
}

function decode(type: number, bytes: Uint8Array): SessionEvent {
  switch (type) {
    case sessionFrames.stdout:
      return { type: "stdout", bytes };
    case sessionFrames.stderr:
      return { type: "stderr", bytes };
    case sessionFrames.replayEnd:
      if (bytes.length !== 0) throw new Error("The end of the replay has bytes");
      return { type: "replayEnd" };
    case sessionFrames.exit:
      if (bytes.length !== 4) throw new Error(`An exit code has ${bytes.length} bytes`);
      return { type: "exit", exitCode: new DataView(bytes.buffer, bytes.byteOffset).getInt32(0) };
    default:
      throw new Error(`There is no frame type ${type}`);
  }
}

function concatenate(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}
