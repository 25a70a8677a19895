import { openSocket } from "#platform";
import type { Connection } from "../connection.ts";
import type { OpenComputerError } from "../open-computer-error.ts";
import type { Socket } from "../platform/socket.ts";
import { createDeferred } from "./deferred.ts";
import { createSessionOutput, type SessionHandlers, type SessionOutput } from "./session-output.ts";

/** A client's open WebSocket to a session or a terminal. */
export interface Attachment {
  readonly socket: Socket;
  readonly output: SessionOutput;
  /** The exit code of the command or shell; rejects when the connection is lost. */
  readonly exited: Promise<number>;
  /** Closes the attachment; promises that wait for it reject with the error. */
  fail(error: unknown): void;
}

/**
 * How often the client reports that it is attached. Only traffic restarts
 * the sandbox's idle time-out, so this is well below any useful one.
 */
const keepAliveMilliseconds = 3_000;

/** Resolves once the WebSocket is open. */
export async function openAttachment(options: {
  connection: Connection;
  path: string;
  handlers: SessionHandlers;
  /** Reads a message, and returns the exit code if it has one. */
  read: (message: Uint8Array, output: SessionOutput) => number | undefined;
  /** The exit code in the close frame of the WebSocket. */
  exitCodeOfEnd?: (code: number, reason: string) => number | undefined;
  /** The error of a WebSocket that ended before an exit code was known. */
  lost: (code: number, reason: string) => OpenComputerError;
  signal: AbortSignal | undefined;
}): Promise<Attachment> {
  const { connection, path, handlers, read, exitCodeOfEnd, lost, signal } = options;
  signal?.throwIfAborted();
  const opened = createDeferred<void>();
  const exited = createDeferred<number>();
  let exitCode: number | undefined;

  const output = createSessionOutput(handlers, {
    pause: () => socket.pause(),
    resume: () => socket.resume(),
  });
  output.drained.then(
    () => {
      if (exitCode !== undefined) exited.resolve(exitCode);
    },
    (error: unknown) => fail(error),
  );

  const url = connection.baseUrl.replace(/^http/, "ws") + path;
  const socket: Socket = openSocket(url, connection.apiKey, {
    onOpen: () => opened.resolve(),
    onMessage(message) {
      const code = read(message, output);
      if (code === undefined) return;
      exitCode = code;
      output.end();
    },
    onClose(code, reason) {
      release();
      exitCode ??= exitCodeOfEnd?.(code, reason);
      if (exitCode === undefined) fail(lost(code, reason));
      output.end();
    },
  });
  const keepAlive = setInterval(() => {
    // A connection that is lost meanwhile reports it when it closes.
    socket.send(new Uint8Array(0)).catch(() => undefined);
  }, keepAliveMilliseconds);
  signal?.addEventListener("abort", abort, { once: true });

  function abort(): void {
    fail(signal?.reason);
  }
  function release(): void {
    clearInterval(keepAlive);
    signal?.removeEventListener("abort", abort);
  }
  function fail(error: unknown): void {
    release();
    opened.reject(error);
    exited.reject(error);
    socket.close();
  }

  await opened.promise;
  return { socket, output, exited: exited.promise, fail };
}
