import { encodeFrame } from "./encode-frame.ts";
import type { FrameTransforms, MessageTransform } from "./frame.ts";
import { opcodes, WebSocketProtocolError, type WebSocketSide } from "./frame.ts";
import { FrameParser, type WebSocketEvent } from "./frame-parser.ts";
import { MaskingKeys } from "./mask.ts";
import { rewriteControl } from "./rewrite-control.ts";

/**
 * Payload after which a frame is sent even if more of the same arrival follows,
 * so that many substituted values take no more memory than one. It is four times
 * what one read of a socket returns, which the redaction of one arrival does not
 * reach: a token has under three times the bytes of the shortest value.
 */
const framePayloadBytesMax = 256 * 1024;
/** Frames are combined into one write up to this size. */
const writeBytesMin = 64 * 1024;

/**
 * Turns the frames that one side sends into those that the other one receives.
 *
 * A message is fragmented anew: one frame for each arrival that yields something
 * to send, and a final one. They reveal neither the sender's fragments nor how
 * much a transform held back. A control frame inside a message is sent before
 * what the same arrival adds to that message.
 */
export class FrameRewriter {
  readonly #parser: FrameParser;
  readonly #transforms: FrameTransforms;
  /** Present where the receiver is a server, to which frames are masked. */
  readonly #maskingKeys: MaskingKeys | undefined;
  #transform: MessageTransform | undefined;
  /** The opcode of the next frame of the message: continuation after its first. */
  #opcode: number = opcodes.continuation;
  #parts: Buffer[] = [];
  #partsBytes = 0;
  #frames: Buffer[] = [];
  #framesBytes = 0;
  #closed = false;

  constructor(sender: WebSocketSide, transforms: FrameTransforms) {
    this.#parser = new FrameParser(sender);
    this.#transforms = transforms;
    this.#maskingKeys = sender === "guest" ? new MaskingKeys() : undefined;
  }

  /** Whether a close frame has passed; what arrives after it is dropped. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Yields what to write for one arrival, complete frames each. Iterate it to
   * its end before the next call. What precedes a broken rule is
   * yielded, but not what was held back of a message that breaks off there.
   *
   * @throws {WebSocketProtocolError}
   */
  *push(arrived: Buffer): Generator<Buffer, void> {
    if (this.#closed) return;
    let broken: WebSocketProtocolError | undefined;
    try {
      for (const event of this.#parser.push(arrived)) {
        for (const part of this.#take(event)) {
          if (part.length === 0) continue;
          this.#parts.push(part);
          this.#partsBytes += part.length;
          if (this.#partsBytes >= framePayloadBytesMax) {
            this.#addDataFrame(false);
            yield this.#takeFrames();
          }
        }
        if (event.type === "end") this.#addDataFrame(true);
        if (this.#framesBytes >= writeBytesMin) yield this.#takeFrames();
        if (this.#closed) break;
      }
      if (this.#partsBytes > 0 && !this.#closed) this.#addDataFrame(false);
    } catch (error) {
      if (!(error instanceof WebSocketProtocolError)) throw error;
      broken = error;
    }
    if (this.#framesBytes > 0) yield this.#takeFrames();
    if (broken !== undefined) throw broken;
  }

  #take(event: WebSocketEvent): Iterable<Buffer> {
    switch (event.type) {
      case "message":
        this.#opcode = opcodes[event.kind];
        this.#transform = this.#transforms.message(event.kind);
        return [];
      case "payload":
        return this.#transform?.push(event.bytes) ?? [];
      case "end":
        return this.#transform?.end() ?? [];
      case "control": {
        const control = this.#transforms.control?.();
        const { kind, payload } = event;
        const rewritten = control === undefined ? payload : rewriteControl(kind, payload, control);
        this.#addFrame(opcodes[kind], true, [rewritten]);
        this.#closed = kind === "close";
        return [];
      }
    }
  }

  #addDataFrame(isFinal: boolean): void {
    this.#addFrame(this.#opcode, isFinal, this.#parts);
    this.#opcode = opcodes.continuation;
    this.#parts = [];
    this.#partsBytes = 0;
    if (isFinal) this.#transform = undefined;
  }

  #addFrame(opcode: number, isFinal: boolean, parts: readonly Buffer[]): void {
    const frame = encodeFrame({ opcode, isFinal, parts }, this.#maskingKeys);
    this.#frames.push(frame);
    this.#framesBytes += frame.length;
  }

  #takeFrames(): Buffer {
    const [first, ...more] = this.#frames;
    const frames = first !== undefined && more.length === 0 ? first : Buffer.concat(this.#frames);
    this.#frames = [];
    this.#framesBytes = 0;
    return frames;
  }
}
