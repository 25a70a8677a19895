/** Splits a stream of bytes into DNS messages. */
export interface MessageFrames {
  /** Returns the messages that the chunk completes; `undefined` when one declares a length over the limit. */
  push(chunk: Buffer): readonly Buffer[] | undefined;
}

const lengthBytes = 2;

/** Creates a splitter: over TCP, two bytes of length precede each message (RFC 1035, section 4.2.2). */
export function createMessageFrames(options: { messageBytesMax: number }): MessageFrames {
  let pending: Buffer = Buffer.alloc(0);

  return {
    push(chunk) {
      pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
      const messages: Buffer[] = [];
      while (pending.length >= lengthBytes) {
        const messageBytes = pending.readUInt16BE(0);
        if (messageBytes > options.messageBytesMax) return undefined;
        const end = lengthBytes + messageBytes;
        if (pending.length < end) break;
        messages.push(pending.subarray(lengthBytes, end));
        pending = pending.subarray(end);
      }
      return messages;
    },
  };
}

export function frameMessage(message: Buffer): Buffer {
  const frame = Buffer.allocUnsafe(lengthBytes + message.length);
  frame.writeUInt16BE(message.length, 0);
  message.copy(frame, lengthBytes);
  return frame;
}
