import { opcodes, protocolErrorCode } from "./frame.ts";
import { frameHeaderBytesMax, writeFrameHeader } from "./frame-header.ts";
import { applyMask, writeFreshMaskingKey } from "./mask.ts";

export interface OutgoingFrame {
  readonly opcode: number;
  readonly isFinal: boolean;
  /** The payload, in parts. They are copied, so that a shared one is never masked. */
  readonly parts: readonly Buffer[];
}

/**
 * The bytes of a frame: masked with a fresh key when it goes to a server,
 * unmasked when it goes to a client (RFC 6455 §5.1).
 */
export function encodeFrame({ opcode, isFinal, parts }: OutgoingFrame, isMasked: boolean): Buffer {
  let payloadBytes = 0;
  for (const part of parts) payloadBytes += part.length;
  const frame = Buffer.allocUnsafe(frameHeaderBytesMax + payloadBytes);
  let at = writeFrameHeader(frame, 0, { opcode, isFinal, isMasked, payloadBytes });
  const keyFrom = at;
  if (isMasked) {
    writeFreshMaskingKey(frame, keyFrom);
    at += 4;
  }
  const payloadFrom = at;
  for (const part of parts) at += part.copy(frame, at);
  if (isMasked) applyMask(frame.subarray(payloadFrom, at), frame.subarray(keyFrom, payloadFrom), 0);
  return frame.subarray(0, at);
}

/** A close frame with code 1002 and the rule that was broken. */
export function encodeProtocolErrorClose(rule: string, isMasked: boolean): Buffer {
  const payload = Buffer.from(`  ${rule}`, "latin1");
  payload.writeUInt16BE(protocolErrorCode);
  return encodeFrame({ opcode: opcodes.close, isFinal: true, parts: [payload] }, isMasked);
}
