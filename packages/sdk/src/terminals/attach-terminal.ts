import { exitCodeOfClose, type TerminalSize } from "@opencomputer/protocol/api";
import { openAttachment } from "../commands/open-attachment.ts";
import type { Connection } from "../connection.ts";
import { OpenComputerError } from "../open-computer-error.ts";
import { apiPath } from "../request/api-request.ts";
import type { AttachTerminalOptions, Terminal } from "./terminal.ts";

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
    terminals: {
      resize(sessionId: string, size: TerminalSize): Promise<void>;
      kill(sessionId: string): Promise<void>;
    };
    sandboxId: string;
    sessionId: string;
  },
  { onOutput, signal }: AttachTerminalOptions,
): Promise<Terminal> {
  const { socket, output, exited, fail } = await openAttachment({
    connection,
    path: apiPath`/sandboxes/${sandboxId}/pty/${sessionId}`,
    handlers: { onOutput: onOutput === undefined ? undefined : ({ data }) => onOutput(data) },
    read(data, output) {
      if (data.length > 0) output.push({ stream: "stdout", data });
      return undefined;
    },
    exitCodeOfEnd: exitCodeOfClose,
    lost: (code, reason) =>
      new OpenComputerError(
        "connection_failed",
        `The connection to terminal ${sessionId} was lost (${reason || `code ${code}`}); its shell keeps running: attach to it again`,
      ),
    signal,
  });
  function wait(): Promise<number> {
    output.discard();
    return exited;
  }

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
      fail(
        new OpenComputerError(
          "connection_failed",
          `This client detached from terminal ${sessionId}`,
        ),
      );
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
