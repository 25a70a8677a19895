import { controlPayloadBytesMax, opcodes, type WebSocketSide } from "./frame.ts";

/** Two bytes, eight of extended length and a masking key. */
export const frameHeaderBytesMax = 14;
/** The first byte has the kind of the frame, the second the length of the rest of the header. */
export const frameHeaderBytesMin = 2;

const lengthBytes16 = 126;
const lengthBytes64 = 127;
const keyBytes = 4;

/**
 * Returns why the first two bytes of a frame are not allowed from this sender;
 * undefined when they are. Extensions are removed from every handshake, so no
 * reserved bit has a meaning.
 */
export function findHeaderFault(
  first: number,
  second: number,
  sender: WebSocketSide,
  insideMessage: boolean,
): string | undefined {
  if ((first & 0x70) !== 0) return "a reserved bit is set, and no extension was agreed on";
  const opcode = first & 0x0f;
  const isMasked = (second & 0x80) !== 0;
  if (sender === "guest" && !isMasked) return "a frame of the client is not masked";
  if (sender === "upstream" && isMasked) return "a frame of the server is masked";
  switch (opcode) {
    case opcodes.continuation:
      return insideMessage ? undefined : "a continuation frame has no message to continue";
    case opcodes.text:
    case opcodes.binary:
      return insideMessage ? "a message begins inside another" : undefined;
    case opcodes.close:
    case opcodes.ping:
    case opcodes.pong:
      if ((first & 0x80) === 0) return "a control frame is fragmented";
      if ((second & 0x7f) > controlPayloadBytesMax) return "a control frame is over 125 bytes";
      return undefined;
    default:
      return "the opcode is not defined";
  }
}

/** Returns the length of a header in bytes, by its second byte. */
export function frameHeaderBytes(second: number): number {
  const length = second & 0x7f;
  const extended = length === lengthBytes64 ? 8 : length === lengthBytes16 ? 2 : 0;
  return frameHeaderBytesMin + extended + ((second & 0x80) === 0 ? 0 : keyBytes);
}

/**
 * Returns the length of the payload that a complete header states, or why it is
 * not allowed. A length over 2^53 - 1 is refused although RFC 6455 §5.2 allows
 * 2^63 - 1: a JavaScript number is not exact there, and no connection carries
 * so much.
 */
export function readPayloadLength(header: Buffer): number | string {
  const length = (header[1] ?? 0) & 0x7f;
  if (length < lengthBytes16) return length;
  if (length === lengthBytes16) {
    const extended = header.readUInt16BE(frameHeaderBytesMin);
    return extended < lengthBytes16 ? "a length is not in its shortest form" : extended;
  }
  const high = header.readUInt32BE(frameHeaderBytesMin);
  const low = header.readUInt32BE(frameHeaderBytesMin + 4);
  if (high > 0x1f_ffff) return "a frame is over 2^53 - 1 bytes";
  const extended = high * 2 ** 32 + low;
  return extended <= 0xffff ? "a length is not in its shortest form" : extended;
}

/**
 * Writes the header of a frame without its masking key, and returns where the
 * key or the payload begins.
 */
export function writeFrameHeader(
  target: Buffer,
  at: number,
  frame: { opcode: number; isFinal: boolean; isMasked: boolean; payloadBytes: number },
): number {
  const { opcode, isFinal, isMasked, payloadBytes } = frame;
  const maskBit = isMasked ? 0x80 : 0;
  target[at] = (isFinal ? 0x80 : 0) | opcode;
  if (payloadBytes < lengthBytes16) {
    target[at + 1] = maskBit | payloadBytes;
    return at + 2;
  }
  if (payloadBytes <= 0xffff) {
    target[at + 1] = maskBit | lengthBytes16;
    return target.writeUInt16BE(payloadBytes, at + 2);
  }
  target[at + 1] = maskBit | lengthBytes64;
  target.writeUInt32BE(Math.floor(payloadBytes / 2 ** 32), at + 2);
  return target.writeUInt32BE(payloadBytes % 2 ** 32, at + 6);
}
