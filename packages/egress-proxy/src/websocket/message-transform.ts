import type { MessageKind } from "./frame.ts";

/** Rewrites the payload of one message, wherever it is cut. */
export interface MessageTransform {
  /** What may be sent on, now that these bytes have arrived. */
  push(bytes: Buffer): Iterable<Buffer>;
  /** What was held back, at the end of the message. Not called when the message breaks off. */
  end(): Iterable<Buffer>;
}

/** What the messages and control frames of one side pass through. */
export interface FrameTransforms {
  message(kind: MessageKind): MessageTransform;
  /** For the payload of one control frame; control frames pass unchanged without it. */
  control?(): MessageTransform;
}
