import { PassThrough, type Readable } from "node:stream";
import type { FastifyBaseLogger } from "fastify";
import type { RawData, WebSocket } from "ws";

/**
 * Passes a client's input on at the pace of what takes it: the request for it is
 * made when the first bytes come, and the socket is paused while they wait.
 */
export function createClientInput(
  socket: WebSocket,
  send: (bytes: Readable) => Promise<void>,
  logger: FastifyBaseLogger,
) {
  let stream: PassThrough | undefined;
  let over = false;

  function open(): PassThrough {
    const opened = new PassThrough();
    opened.on("error", (error) => logger.debug({ err: error }, "a session's input ended early"));
    opened.on("drain", () => socket.resume());
    send(opened)
      .catch((error: unknown) => logger.debug({ err: error }, "a session took no more input"))
      .finally(() => {
        over = true;
        opened.destroy();
        socket.resume();
      });
    return opened;
  }

  return {
    /** Passes bytes on; an empty message ends the input. */
    take(bytes: Uint8Array): void {
      if (over) return;
      stream ??= open();
      if (bytes.length === 0) {
        over = true;
        stream.end();
      } else if (!stream.write(bytes)) {
        socket.pause();
      }
    },
    /** Stops without ending the command's input, which stays open for the next client. */
    abandon(): void {
      if (!over) stream?.destroy();
      over = true;
    },
  };
}

export function toBuffer(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data;
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data);
}
