/** Opcodes of RFC 6455 §11.8; all others are refused. */
export const opcodes = {
  continuation: 0x0,
  text: 0x1,
  binary: 0x2,
  close: 0x8,
  ping: 0x9,
  pong: 0xa,
} as const;

export type MessageKind = "text" | "binary";
export type ControlKind = "close" | "ping" | "pong";

/** The side that sent a frame. */
export type WebSocketSide = "guest" | "upstream";

/** Payload of a control frame (RFC 6455 §5.5). */
export const controlPayloadBytesMax = 125;
/** The status code that begins the payload of a close frame. */
export const closeCodeBytes = 2;
/** Close code of a connection that broke the protocol (RFC 6455 §7.4.1). */
export const protocolErrorCode = 1002;

/**
 * Codes that RFC 6455 §7.4 forbids in close frames: they report the end of a
 * connection to the local program.
 */
const unsendableCloseCodes: ReadonlySet<number> = new Set([1004, 1005, 1006, 1015]);

/** Whether a close frame may carry this code (RFC 6455 §7.4). */
export function isSendableCloseCode(code: number): boolean {
  return code >= 1000 && code <= 4999 && !unsendableCloseCodes.has(code);
}

/**
 * Thrown for a frame that RFC 6455 does not allow. `rule` is one of a few fixed
 * texts and quotes nothing of the frame: it is sent to both sides.
 */
export class WebSocketProtocolError extends Error {
  readonly sender: WebSocketSide;
  readonly rule: string;

  constructor(sender: WebSocketSide, rule: string) {
    super(`The ${sender} broke the WebSocket protocol: ${rule}`);
    this.name = "WebSocketProtocolError";
    this.sender = sender;
    this.rule = rule;
  }
}

/** Rewrites the payload of one message, which arrives in parts split anywhere. */
export interface MessageTransform {
  /** Returns what may be sent on, now that these bytes have arrived. */
  push(bytes: Buffer): Iterable<Buffer>;
  /** Returns what was held back, at the end of the message. Not called when the message breaks off. */
  end(): Iterable<Buffer>;
}

/** The transforms of the messages and control frames of one side. */
export interface FrameTransforms {
  message(kind: MessageKind): MessageTransform;
  /** For the payload of one control frame; control frames pass unchanged without it. */
  control?(): MessageTransform;
}
