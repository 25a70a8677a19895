import {
  killedSessionSchema,
  type CommandSession as SessionInfo,
  sessionFrames,
} from "@opencomputer/protocol/api";
import type { Connection } from "../connection.ts";
import { OpenComputerError } from "../open-computer-error.ts";
import type { Socket } from "../platform/socket.ts";
import { requestJson } from "../request/send-request.ts";
import type { OutputChunk, SessionOutput } from "./session-output.ts";

/**
 * A command that this client is attached to. It continues when the client
 * disconnects: `exec.attach` attaches to it again.
 *
 * Its output goes to `onStdout` and `onStderr`, or else to the program that iterates:
 * `for await (const { stream, data } of session)`. A client that does not
 * read the output makes the command wait.
 */
export interface CommandSession extends AsyncIterable<OutputChunk> {
  /** The id by which any client can attach to the session. */
  readonly sessionId: string;
  /** The state of the session when this client attached. */
  readonly info: SessionInfo;
  /**
   * The exit code, once the command has ended and its output was delivered:
   * -1 after a time-out, 128 + n after signal n. Output that is not read is
   * dropped.
   *
   * @throws {OpenComputerError} `connection_failed` when the connection is lost: attach again;
   * what a callback threw.
   */
  wait(): Promise<number>;
  /** The same as {@link wait}. */
  readonly done: Promise<number>;
  /** Writes to the command's input, text as UTF-8; resolves when more may be written. */
  sendStdin(data: string | Uint8Array): Promise<void>;
  /** Ends the command's input. */
  endStdin(): Promise<void>;
  /** Sends a signal, 1–64, to the command's process group. Default 9. */
  kill(signal?: number): Promise<void>;
  /** Detaches: the command keeps running, and promises that wait for it reject. */
  close(): void;
}

const messageBytesMax = 64 * 1024;

export function createCommandSession({
  connection,
  info,
  path,
  socket,
  output,
  exited,
  fail,
}: {
  connection: Connection;
  info: SessionInfo;
  path: string;
  socket: Socket;
  output: SessionOutput;
  exited: Promise<number>;
  fail: (error: unknown) => void;
}): CommandSession {
  const send = async (bytes: Uint8Array): Promise<void> => {
    const message = new Uint8Array(1 + bytes.length);
    message[0] = sessionFrames.stdin;
    message.set(bytes, 1);
    try {
      await socket.send(message);
    } catch (cause) {
      const text = `The connection to session ${info.sessionID} is closed: attach to it again`;
      throw new OpenComputerError("connection_failed", text, { cause });
    }
  };
  const wait = (): Promise<number> => {
    output.discard();
    return exited;
  };

  return {
    sessionId: info.sessionID,
    info,
    wait,
    get done() {
      return wait();
    },
    async sendStdin(data) {
      const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
      for (let start = 0; start < bytes.length; start += messageBytesMax) {
        await send(bytes.subarray(start, start + messageBytesMax));
      }
    },
    endStdin: () => send(new Uint8Array(0)),
    async kill(signal) {
      await requestJson(
        connection,
        { method: "POST", path: `${path}/kill`, body: { kind: "json", value: { signal } } },
        killedSessionSchema,
      );
    },
    close() {
      fail(
        new OpenComputerError(
          "connection_failed",
          `This client detached from session ${info.sessionID}`,
        ),
      );
    },
    [Symbol.asyncIterator]: () => output.iterate(),
  };
}
