import { exitCodeOfClose } from "@opencomputer/protocol";
import { openSocket } from "#platform";
import { createDeferred } from "../commands/deferred.ts";
import { createSessionOutput } from "../commands/session-output.ts";
import type { Connection } from "../connection.ts";
import { OpenComputerError } from "../open-computer-error.ts";
import type { Socket } from "../platform/socket.ts";
import { apiPath } from "../request/api-request.ts";
import type { Terminal } from "./terminal.ts";
import type { AttachTerminalOptions, Terminals } from "./terminals.ts";

/**
 * How often the client reports that it is attached. Only traffic keeps the
 * sandbox from its idle time-out, so this is well below any that is of use.
 */
const keepAliveMilliseconds = 3_000;
const messageBytesMax = 64 * 1024;

/** Attaches to a terminal that exists. */
export async function attachTerminal(
  {
    connection,
    terminals,
    sandboxId,
    sessionId,
  }: {
    connection: Connection;
    terminals: Pick<Terminals, "resize" | "kill">;
    sandboxId: string;
    sessionId: string;
  },
  { onOutput, signal }: AttachTerminalOptions,
): Promise<Terminal> {
  signal?.throwIfAborted();
  const opened = createDeferred<void>();
  const exited = createDeferred<number>();
  let exitCode: number | undefined;

  const output = createSessionOutput({
    handle:
      onOutput === undefined
        ? undefined
        : (news) => (news.stream === "replayEnd" ? undefined : onOutput(news.data)),
    pause: () => socket.pause(),
    resume: () => socket.resume(),
  });
  output.drained.then(
    () => {
      if (exitCode !== undefined) exited.resolve(exitCode);
    },
    (error: unknown) => fail(error),
  );

  const url =
    connection.baseUrl.replace(/^http/, "ws") + apiPath`/sandboxes/${sandboxId}/pty/${sessionId}`;
  const socket: Socket = openSocket(url, connection.apiKey, {
    onOpen: () => opened.resolve(),
    onMessage(data) {
      if (data.length > 0) output.push({ stream: "stdout", data });
    },
    onClose(code, reason) {
      release();
      exitCode = exitCodeOfClose(code, reason);
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
  function lost(code: number, reason: string): OpenComputerError {
    return new OpenComputerError(
      "connection_failed",
      `The connection to terminal ${sessionId} was lost (${reason || `code ${code}`}); its shell runs on: attach to it again`,
    );
  }
  function wait(): Promise<number> {
    output.discard();
    return exited.promise;
  }

  await opened.promise;
  return {
    sessionId,
    async send(data) {
      const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
      for (let start = 0; start < bytes.length; start += messageBytesMax) {
        try {
          await socket.send(Uint8Array.from(bytes.subarray(start, start + messageBytesMax)));
        } catch (cause) {
          const text = `The connection to terminal ${sessionId} is closed: attach to it again`;
          throw new OpenComputerError("connection_failed", text, { cause });
        }
      }
    },
    resize: (cols, rows) => terminals.resize(sessionId, { cols, rows }),
    kill: () => terminals.kill(sessionId),
    close() {
      fail(new OpenComputerError("connection_failed", `Terminal ${sessionId} was detached from`));
    },
    get exited() {
      return wait();
    },
    wait,
    async *[Symbol.asyncIterator]() {
      if (onOutput !== undefined) {
        throw new Error("The terminal's output goes to onOutput: iterate without it");
      }
      for await (const { data } of output.iterate()) yield data;
    },
  };
}
