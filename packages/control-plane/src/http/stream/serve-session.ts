import type { Readable } from "node:stream";
import { sessionCloses, sessionFrames } from "@opencomputer/protocol/api";
import { readSessionEvents, type SessionEvent } from "@opencomputer/protocol/wire";
import type { FastifyBaseLogger } from "fastify";
import type { RawData, WebSocket } from "ws";
import { createClientInput, toBuffer } from "./client-input.ts";

/** Proxies on the way close connections that are silent for a minute. */
const keepAliveMilliseconds = 20_000;

/**
 * Serves a session to the client at a WebSocket until either ends. What the
 * client does not take is not fetched: the command waits. What the command
 * does not read is not taken from the client.
 */
export function serveSession({
  socket,
  output,
  sendInput,
  onTraffic,
  logger,
}: {
  socket: WebSocket;
  /** The session's stream; destroyed at the end. */
  output: Readable;
  /** Passes bytes to the command; resolves when it has read all or reads no more. */
  sendInput: (bytes: Readable, signal: AbortSignal) => Promise<void>;
  /** Called for each message either way, but for keep-alives of the server. */
  onTraffic: () => void;
  logger: FastifyBaseLogger;
}): void {
  const gone = new AbortController();
  const input = createClientInput(socket, (bytes) => sendInput(bytes, gone.signal), logger);
  let lastSentAt = performance.now();

  const send = (message: Uint8Array): Promise<void> =>
    new Promise((resolve, reject) => {
      lastSentAt = performance.now();
      socket.send(message, { binary: true }, (error) => (error ? reject(error) : resolve()));
    });
  const keepAlive = setInterval(() => {
    const isQuiet = performance.now() - lastSentAt >= keepAliveMilliseconds / 2;
    if (isQuiet && socket.bufferedAmount === 0 && socket.readyState === socket.OPEN) {
      socket.send(new Uint8Array(0), { binary: true });
    }
  }, keepAliveMilliseconds);

  socket.on("message", (data: RawData, isBinary: boolean) => {
    onTraffic();
    const message = toBuffer(data);
    if (isBinary && message[0] === sessionFrames.stdin) input.take(message.subarray(1));
  });
  socket.once("close", () => {
    clearInterval(keepAlive);
    gone.abort();
    input.abandon();
    output.destroy();
  });

  async function passOn(): Promise<void> {
    for await (const event of readSessionEvents(output)) {
      onTraffic();
      await send(toMessage(event));
    }
  }

  function close(code: number, reason: string): void {
    // The client's close frame cannot be read while its input is paused.
    socket.resume();
    socket.close(code, reason);
  }

  passOn().then(
    () => close(sessionCloses.completed.code, sessionCloses.completed.reason),
    (error: unknown) => {
      if (gone.signal.aborted || socket.readyState !== socket.OPEN) return;
      logger.info({ err: error }, "a session's stream was lost");
      close(sessionCloses.lost.code, "the session was lost: attach again");
    },
  );
}

function toMessage(event: SessionEvent): Uint8Array {
  switch (event.type) {
    case "replayEnd":
      return Uint8Array.of(sessionFrames.replayEnd);
    case "exit": {
      const message = Buffer.alloc(5);
      message.writeUInt8(sessionFrames.exit);
      message.writeInt32BE(event.exitCode, 1);
      return message;
    }
    default: {
      const message = Buffer.allocUnsafe(1 + event.bytes.length);
      message.writeUInt8(sessionFrames[event.type]);
      message.set(event.bytes, 1);
      return message;
    }
  }
}
