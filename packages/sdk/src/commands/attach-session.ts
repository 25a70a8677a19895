import {
  type CommandSession as SessionInfo,
  sessionCloses,
  sessionFrames,
} from "@opencomputer/protocol";
import { openSocket } from "#platform";
import type { Connection } from "../connection.ts";
import { OpenComputerError } from "../open-computer-error.ts";
import type { Socket } from "../platform/socket.ts";
import { apiPath } from "../request/api-request.ts";
import { type CommandSession, createCommandSession } from "./command-session.ts";
import { createDeferred } from "./deferred.ts";
import { createSessionOutput, type SessionNews } from "./session-output.ts";

/** What becomes of a session's output. */
export interface AttachOptions {
  /** Gets what the command writes. Until a promise that it returns resolves, nothing more is fetched. */
  onStdout?: ((data: Uint8Array) => void | Promise<void>) | undefined;
  /** As `onStdout`, for the other stream. */
  onStderr?: ((data: Uint8Array) => void | Promise<void>) | undefined;
  /** Called when all output from before the attaching has been handed on. */
  onReplayEnd?: (() => void | Promise<void>) | undefined;
  /** Detaches; what waits for the session then rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/**
 * How often the client says that it listens. Only traffic keeps the sandbox
 * from its idle time-out, so this is well below any that is of use.
 */
const keepAliveMilliseconds = 3_000;

/** Attaches to a session that exists. */
export async function attachSession(
  connection: Connection,
  info: SessionInfo,
  options: AttachOptions,
): Promise<CommandSession> {
  const { signal } = options;
  signal?.throwIfAborted();
  const path = apiPath`/sandboxes/${info.sandboxID}/exec/${info.sessionID}`;
  const opened = createDeferred<void>();
  const exited = createDeferred<number>();
  let exitCode: number | undefined;

  const output = createSessionOutput({
    handle: handlerOf(options),
    pause: () => socket.pause(),
    resume: () => socket.resume(),
  });
  output.drained.then(
    () => {
      if (exitCode !== undefined) exited.resolve(exitCode);
    },
    (error: unknown) => fail(error),
  );

  const socket: Socket = openSocket(
    connection.baseUrl.replace(/^http/, "ws") + path,
    connection.apiKey,
    {
      onOpen: () => opened.resolve(),
      onMessage(message) {
        const [type] = message;
        const data = message.subarray(1);
        if (type === sessionFrames.stdout) output.push({ stream: "stdout", data });
        else if (type === sessionFrames.stderr) output.push({ stream: "stderr", data });
        else if (type === sessionFrames.replayEnd) output.push({ stream: "replayEnd" });
        else if (type === sessionFrames.exit && data.length === 4) {
          exitCode = new DataView(data.buffer, data.byteOffset).getInt32(0);
          output.end();
        }
      },
      onClose(code, reason) {
        release();
        if (exitCode === undefined) fail(lost(code, reason));
        output.end();
      },
    },
  );
  const keepAlive = setInterval(() => {
    // A connection that is lost meanwhile says so when it closes.
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
  function lost(code: number, reason: string): OpenComputerError {
    const why = reason === "" || code === sessionCloses.completed.code ? `code ${code}` : reason;
    return new OpenComputerError(
      "connection_failed",
      `The connection to session ${info.sessionID} was lost (${why}); the command runs on: attach to it again`,
    );
  }

  await opened.promise;
  return createCommandSession({
    connection,
    info,
    path,
    socket,
    output,
    exited: exited.promise,
    fail,
  });
}

function handlerOf(
  options: AttachOptions,
): ((news: SessionNews) => void | Promise<void>) | undefined {
  const { onStdout, onStderr, onReplayEnd } = options;
  if (onStdout === undefined && onStderr === undefined) return undefined;
  return (news) => {
    if (news.stream === "replayEnd") return onReplayEnd?.();
    return news.stream === "stdout" ? onStdout?.(news.data) : onStderr?.(news.data);
  };
}
