import type { Readable } from "node:stream";
import { limits, terminalCloses } from "@opencomputer/protocol/api";
import { readSessionEvents } from "@opencomputer/protocol/wire";
import type { FastifyBaseLogger } from "fastify";
import type { RawData, WebSocket } from "ws";
import { createClientInput, toBuffer } from "./client-input.ts";

/** Proxies on the way close connections that are silent for a minute. */
const keepAliveMilliseconds = 20_000;

/**
 * Serves a terminal to the client at a WebSocket, raw bytes both ways, until
 * either ends. What the client does not take is not fetched: the program
 * waits, and a client that takes nothing for too long is detached. What the
 * program does not read is not taken from the client.
 */
export function serveTerminal({
  socket,
  output,
  sendInput,
  onTraffic,
  logger,
  stallMilliseconds = limits.terminalStallSecondsMax * 1000,
}: {
  socket: WebSocket;
  /** The terminal's stream, as a session's; destroyed at the end. */
  output: Readable;
  /** Types bytes; resolves when the terminal has taken all or takes no more. */
  sendInput: (bytes: Readable, signal: AbortSignal) => Promise<void>;
  /** Called for each message either way; one without bytes is a client's keep-alive. */
  onTraffic: () => void;
  logger: FastifyBaseLogger;
  stallMilliseconds?: number;
}): void {
  const gone = new AbortController();
  const input = createClientInput(socket, (bytes) => sendInput(bytes, gone.signal), logger);
  const keepAlive = setInterval(() => {
    if (socket.bufferedAmount === 0 && socket.readyState === socket.OPEN) socket.ping();
  }, keepAliveMilliseconds);

  socket.on("message", (data: RawData) => {
    onTraffic();
    const bytes = toBuffer(data);
    if (bytes.length > 0) input.take(bytes);
  });
  socket.once("close", () => {
    clearInterval(keepAlive);
    gone.abort();
    input.abandon();
    output.destroy();
  });

  function send(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      const stalled = setTimeout(() => {
        close(terminalCloses.stalled.code, terminalCloses.stalled.reason);
        socket.terminate();
      }, stallMilliseconds);
      socket.send(bytes, { binary: true }, (error) => {
        clearTimeout(stalled);
        if (error) reject(error);
        else resolve();
      });
    });
  }

  async function passOn(): Promise<number> {
    for await (const event of readSessionEvents(output)) {
      if (event.type === "exit") return event.exitCode;
      if (event.type === "replayEnd") continue;
      onTraffic();
      await send(event.bytes);
    }
    throw new Error("The stream ended without an exit code");
  }

  function close(code: number, reason: string): void {
    // The client's close frame cannot be read while its input is paused.
    socket.resume();
    socket.close(code, reason);
  }

  passOn().then(
    (exitCode) => close(terminalCloses.ended.code, terminalCloses.ended.reasonPrefix + exitCode),
    (error: unknown) => {
      if (gone.signal.aborted || socket.readyState !== socket.OPEN) return;
      logger.info({ err: error }, "a terminal's stream was lost");
      close(terminalCloses.lost.code, terminalCloses.lost.reason);
    },
  );
}
