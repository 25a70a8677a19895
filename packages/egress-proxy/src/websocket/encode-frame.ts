import { opcodes, protocolErrorCode } from "./frame.ts";
import { frameHeaderBytesMax, writeFrameHeader } from "./frame-header.ts";
import { applyMask, type MaskingKeys } from "./mask.ts";

export interface OutgoingFrame {
  readonly opcode: number;
  readonly isFinal: boolean;
  /** The payload, in parts. They are copied, so that a shared one is never masked. */
  readonly parts: readonly Buffer[];
}

/**
 * Encodes a frame: masked with the next of `keys` when it goes to a server,
 * unmasked without `keys` when it goes to a client (RFC 6455 §5.1).
 */
export function encodeFrame(
  { opcode, isFinal, parts }: OutgoingFrame,
  keys: MaskingKeys | undefined,
): Buffer {
  const isMasked = keys !== undefined;
  let payloadBytes = 0;
  for (const part of parts) payloadBytes += part.length;
  const frame = Buffer.allocUnsafe(frameHeaderBytesMax + payloadBytes);
  let at = writeFrameHeader(frame, 0, { opcode, isFinal, isMasked, payloadBytes });
  const keyFrom = at;
  if (isMasked) {
    keys.writeNext(frame, keyFrom);
    at += 4;
  }
  const payloadFrom = at;
  for (const part of parts) at += part.copy(frame, at);
  if (isMasked) applyMask(frame.subarray(payloadFrom, at), frame.subarray(keyFrom, payloadFrom), 0);
  return frame.subarray(0, at);
}

/** Encodes a close frame with code 1002 and the rule that was broken. */
export function encodeProtocolErrorClose(rule: string, keys: MaskingKeys | undefined): Buffer {
  const payload = Buffer.from(`  ${rule}`, "latin1");
  payload.writeUInt16BE(protocolErrorCode);
  return encodeFrame({ opcode: opcodes.close, isFinal: true, parts: [payload] }, keys);
}
