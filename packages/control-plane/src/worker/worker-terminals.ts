import {
  type OpenedTerminal,
  openedTerminalSchema,
  type Terminal,
  type TerminalSize,
  terminalListSchema,
  terminalSchema,
} from "@opencomputer/protocol/api";
import type { WorkerTerminalRequest } from "@opencomputer/protocol/wire";
import type { UnixSocketClient } from "../peers/unix-socket-client.ts";
import { createWorkerStreams, pathsBelow, type WorkerStreams } from "./worker-streams.ts";

const callTimeoutMilliseconds = 90_000;

/** Shells in pseudo-terminals, on the worker's side. */
export interface WorkerTerminals extends WorkerStreams {
  open(sandboxId: string, request: WorkerTerminalRequest): Promise<OpenedTerminal>;
  list(sandboxId: string): Promise<Terminal[]>;
  /** @throws {WireError} `session_not_found`, as all that take an id. */
  get(sandboxId: string, terminalId: string): Promise<Terminal>;
  resize(sandboxId: string, terminalId: string, size: TerminalSize): Promise<void>;
  /** Ends the shell. */
  hangUp(sandboxId: string, terminalId: string): Promise<void>;
}

export function createWorkerTerminals(client: UnixSocketClient): WorkerTerminals {
  const pathOf = pathsBelow("pty");
  const timeoutMilliseconds = callTimeoutMilliseconds;

  return {
    open: (sandboxId, body) =>
      client.request(
        { method: "POST", path: pathOf(sandboxId), body, timeoutMilliseconds },
        openedTerminalSchema,
      ),
    list: (sandboxId) =>
      client.request(
        { method: "GET", path: pathOf(sandboxId), timeoutMilliseconds },
        terminalListSchema,
      ),
    get: (sandboxId, terminalId) =>
      client.request(
        { method: "GET", path: pathOf(sandboxId, terminalId), timeoutMilliseconds },
        terminalSchema,
      ),
    resize: (sandboxId, terminalId, body) =>
      client.send({
        method: "POST",
        path: pathOf(sandboxId, terminalId, "resize"),
        body,
        timeoutMilliseconds,
      }),
    hangUp: (sandboxId, terminalId) =>
      client.send({ method: "DELETE", path: pathOf(sandboxId, terminalId), timeoutMilliseconds }),
    ...createWorkerStreams(client, pathOf),
  };
}
