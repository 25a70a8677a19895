import type { Readable } from "node:stream";
import {
  type OpenedTerminal,
  openedTerminalSchema,
  type Terminal,
  type TerminalSize,
  terminalListSchema,
  terminalSchema,
  type WorkerTerminalRequest,
} from "@opencomputer/protocol";
import type { UnixSocketClient } from "../unix-socket-client.ts";

const callTimeoutMilliseconds = 90_000;

/** Shells in pseudo-terminals, on the worker's side. */
export interface WorkerTerminals {
  open(sandboxId: string, request: WorkerTerminalRequest): Promise<OpenedTerminal>;
  list(sandboxId: string): Promise<Terminal[]>;
  /** @throws {WireError} `session_not_found`, as all that take an id. */
  get(sandboxId: string, terminalId: string): Promise<Terminal>;
  resize(sandboxId: string, terminalId: string, size: TerminalSize): Promise<void>;
  /** Ends the shell. */
  hangUp(sandboxId: string, terminalId: string): Promise<void>;
  /** Attaches: the stream of a session, as it comes from the guest. */
  output(sandboxId: string, terminalId: string, signal: AbortSignal): Promise<Readable>;
  /** Types bytes; their end is nothing to the terminal. */
  input(sandboxId: string, terminalId: string, bytes: Readable, signal: AbortSignal): Promise<void>;
}

export function createWorkerTerminals(client: UnixSocketClient): WorkerTerminals {
  const pathOf = (sandboxId: string, ...rest: string[]) =>
    ["/v1/sandboxes", sandboxId, "pty", ...rest.map(encodeURIComponent)].join("/");
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
    async output(sandboxId, terminalId, signal) {
      const path = pathOf(sandboxId, terminalId, "output");
      return (await client.stream({ method: "GET", path, signal })).body;
    },
    async input(sandboxId, terminalId, bytes, signal) {
      const response = await client.stream({
        method: "POST",
        path: pathOf(sandboxId, terminalId, "input"),
        body: bytes,
        headers: { "content-type": "application/octet-stream" },
        signal,
      });
      response.body.resume();
    },
  };
}
