import {
  type ControlKind,
  closeCodeBytes,
  controlPayloadBytesMax,
  isSendableCloseCode,
  type MessageKind,
  opcodes,
  WebSocketProtocolError,
  type WebSocketSide,
} from "./frame.ts";
import {
  findHeaderFault,
  frameHeaderBytes,
  frameHeaderBytesMax,
  frameHeaderBytesMin,
  readPayloadLength,
} from "./frame-header.ts";
import { applyMask } from "./mask.ts";

/** The events of a stream of frames, independent of how messages were fragmented. */
export type WebSocketEvent =
  | { readonly type: "message"; readonly kind: MessageKind }
  | { readonly type: "payload"; readonly bytes: Buffer }
  | { readonly type: "end" }
  | { readonly type: "control"; readonly kind: ControlKind; readonly payload: Buffer };

/**
 * Parses the frames of one side (RFC 6455 §5), fed with bytes split anywhere.
 *
 * Payload is unmasked in place and yielded as it arrives, so memory does not grow
 * with a message. A frame that breaks a rule is refused before any of its payload
 * is yielded.
 */
export class FrameParser {
  readonly #sender: WebSocketSide;
  readonly #header = Buffer.alloc(frameHeaderBytesMax);
  #headerBytes = 0;
  #headerBytesNeeded = frameHeaderBytesMin;
  readonly #key = Buffer.alloc(4);
  #payloadBytes = 0;
  #payloadTaken = 0;
  readonly #control = Buffer.alloc(controlPayloadBytesMax);
  #insideMessage = false;

  constructor(sender: WebSocketSide) {
    this.#sender = sender;
  }

  /**
   * Yields the events that these bytes complete. To be iterated to its end before the next call.
   *
   * @throws {WebSocketProtocolError}
   */
  *push(bytes: Buffer): Generator<WebSocketEvent, void> {
    let at = 0;
    while (at < bytes.length) {
      if (this.#headerBytes < this.#headerBytesNeeded) {
        at = this.#takeHeader(bytes, at);
        if (this.#headerBytes < this.#headerBytesNeeded) return;
        const kind = this.#messageKind();
        if (kind !== undefined) yield { type: "message", kind };
      }
      const from = at;
      at = Math.min(bytes.length, from + this.#payloadBytes - this.#payloadTaken);
      if (at > from) {
        const payload = bytes.subarray(from, at);
        if (this.#sender === "guest") applyMask(payload, this.#key, this.#payloadTaken % 4);
        if (this.#isControl()) payload.copy(this.#control, this.#payloadTaken);
        else yield { type: "payload", bytes: payload };
        this.#payloadTaken += payload.length;
      }
      if (this.#payloadTaken === this.#payloadBytes) yield* this.#endFrame();
    }
  }

  #takeHeader(bytes: Buffer, from: number): number {
    let at = from;
    while (at < bytes.length && this.#headerBytes < this.#headerBytesNeeded) {
      this.#header[this.#headerBytes] = bytes[at] ?? 0;
      this.#headerBytes += 1;
      at += 1;
      if (this.#headerBytes === frameHeaderBytesMin) {
        const [first = 0, second = 0] = this.#header;
        const fault = findHeaderFault(first, second, this.#sender, this.#insideMessage);
        if (fault !== undefined) throw this.#refuse(fault);
        this.#headerBytesNeeded = frameHeaderBytes(second);
      }
    }
    if (this.#headerBytes === this.#headerBytesNeeded) this.#beginPayload();
    return at;
  }

  #beginPayload(): void {
    const length = readPayloadLength(this.#header);
    if (typeof length === "string") throw this.#refuse(length);
    this.#payloadBytes = length;
    this.#payloadTaken = 0;
    if (this.#sender === "upstream") return;
    this.#header.copy(this.#key, 0, this.#headerBytesNeeded - 4, this.#headerBytesNeeded);
  }

  *#endFrame(): Generator<WebSocketEvent, void> {
    const [first = 0] = this.#header;
    this.#headerBytes = 0;
    this.#headerBytesNeeded = frameHeaderBytesMin;
    if (this.#isControl()) {
      const payload = Buffer.from(this.#control.subarray(0, this.#payloadBytes));
      yield { type: "control", kind: this.#controlKind(payload), payload };
    } else {
      this.#insideMessage = (first & 0x80) === 0;
      if (!this.#insideMessage) yield { type: "end" };
    }
  }

  #messageKind(): MessageKind | undefined {
    const opcode = this.#opcode();
    if (opcode === opcodes.text) return "text";
    return opcode === opcodes.binary ? "binary" : undefined;
  }

  #controlKind(payload: Buffer): ControlKind {
    const opcode = this.#opcode();
    if (opcode === opcodes.ping) return "ping";
    if (opcode === opcodes.pong) return "pong";
    const isAllowed =
      payload.length === 0 ||
      (payload.length >= closeCodeBytes && isSendableCloseCode(payload.readUInt16BE(0)));
    if (!isAllowed) throw this.#refuse("a close frame has no code that may be sent");
    return "close";
  }

  #opcode(): number {
    return (this.#header[0] ?? 0) & 0x0f;
  }

  #isControl(): boolean {
    return this.#opcode() >= opcodes.close;
  }

  #refuse(rule: string): WebSocketProtocolError {
    return new WebSocketProtocolError(this.#sender, rule);
  }
}
