/** Cuts a stream of octets into DNS messages. */
export interface MessageFrames {
  /** The messages that the chunk completes; `undefined` when one is announced that is too long. */
  push(chunk: Buffer): readonly Buffer[] | undefined;
}

const lengthBytes = 2;

/** RFC 1035, section 4.2.2: over TCP, two octets of length go before each message. */
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
