import type { MessageTransform } from "./frame.ts";
import { type ControlKind, closeCodeBytes, controlPayloadBytesMax } from "./frame.ts";

/**
 * Rewrites the payload of a control frame, independent of other frames. The code
 * of a close frame is kept.
 *
 * A result over 125 bytes fits in no control frame: then a close reason is
 * truncated between two characters, and a ping or pong loses all of its payload,
 * because a part of it would look like the payload of another ping.
 */
export function rewriteControl(
  kind: ControlKind,
  payload: Buffer,
  transform: MessageTransform,
): Buffer {
  if (payload.length === 0) return payload;
  const textFrom = kind === "close" ? closeCodeBytes : 0;
  const text = Buffer.concat([...transform.push(payload.subarray(textFrom)), ...transform.end()]);
  const textBytesMax = controlPayloadBytesMax - textFrom;
  if (text.length > textBytesMax && kind !== "close") return Buffer.alloc(0);
  const kept = text.subarray(0, characterBoundary(text, textBytesMax));
  return Buffer.concat([payload.subarray(0, textFrom), kept]);
}

/** Returns the last position up to `bytesMax` that is not inside a character of UTF-8. */
function characterBoundary(text: Buffer, bytesMax: number): number {
  if (text.length <= bytesMax) return text.length;
  let at = bytesMax;
  while (at > 0 && ((text[at] ?? 0) & 0xc0) === 0x80) at -= 1;
  return at;
}
