import {
  type CommandSession as SessionInfo,
  sessionCloses,
  sessionFrames,
} from "@opencomputer/protocol/api";
import type { Connection } from "../connection.ts";
import { OpenComputerError } from "../open-computer-error.ts";
import { apiPath } from "../request/api-request.ts";
import { type CommandSession, createCommandSession } from "./command-session.ts";
import { openAttachment } from "./open-attachment.ts";
import type { OutputChunk } from "./session-output.ts";

/** Options of {@link Commands.attach}. */
export interface AttachOptions {
  /** Called with the output of the command. Until a promise that it returns resolves, nothing more is read. */
  onStdout?: ((data: Uint8Array) => void | Promise<void>) | undefined;
  /** As `onStdout`, for the other stream. */
  onStderr?: ((data: Uint8Array) => void | Promise<void>) | undefined;
  /** Called when the output from before this client attached has been delivered. */
  onReplayEnd?: (() => void | Promise<void>) | undefined;
  /** Detaches; promises that wait for the session then reject with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/** Attaches to a session that exists. */
export async function attachSession(
  connection: Connection,
  info: SessionInfo,
  options: AttachOptions,
): Promise<CommandSession> {
  const path = apiPath`/sandboxes/${info.sandboxID}/exec/${info.sessionID}`;
  const attachment = await openAttachment({
    connection,
    path,
    handlers: { onOutput: outputHandlerOf(options), onReplayEnd: options.onReplayEnd },
    read(message, output) {
      const [type] = message;
      const data = message.subarray(1);
      if (type === sessionFrames.stdout) output.push({ stream: "stdout", data });
      else if (type === sessionFrames.stderr) output.push({ stream: "stderr", data });
      else if (type === sessionFrames.replayEnd) output.push({ stream: "replayEnd" });
      else if (type === sessionFrames.exit && data.length === 4) {
        return new DataView(data.buffer, data.byteOffset).getInt32(0);
      }
      return undefined;
    },
    lost(code, reason) {
      const why = reason === "" || code === sessionCloses.completed.code ? `code ${code}` : reason;
      return new OpenComputerError(
        "connection_failed",
        `The connection to session ${info.sessionID} was lost (${why}); the command keeps running: attach to it again`,
      );
    },
    signal: options.signal,
  });
  return createCommandSession({ connection, info, path, ...attachment });
}

function outputHandlerOf(
  options: AttachOptions,
): ((chunk: OutputChunk) => void | Promise<void>) | undefined {
  const { onStdout, onStderr } = options;
  if (onStdout === undefined && onStderr === undefined) return undefined;
  return ({ stream, data }) => (stream === "stdout" ? onStdout?.(data) : onStderr?.(data));
}
