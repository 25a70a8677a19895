import { type ControlKind, closeCodeBytes, controlPayloadBytesMax } from "./frame.ts";
import type { MessageTransform } from "./message-transform.ts";

/**
 * Rewrites the payload of a control frame as a record of its own. The code of
 * a close frame stays.
 *
 * A result over 125 bytes fits in no control frame: then a close reason is cut
 * between two characters, and a ping or pong loses its payload whole, because
 * a part of it would look like the payload of another ping.
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

/** The last place up to `bytesMax` that does not stand inside a character of UTF-8. */
function characterBoundary(text: Buffer, bytesMax: number): number {
  if (text.length <= bytesMax) return text.length;
  let at = bytesMax;
  while (at > 0 && ((text[at] ?? 0) & 0xc0) === 0x80) at -= 1;
  return at;
}
