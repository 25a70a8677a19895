import {
  openedTerminalSchema,
  resizedTerminalSchema,
  type Terminal as TerminalInfo,
  type TerminalSize,
  terminalListSchema,
  terminalSchema,
} from "@opencomputer/protocol/api";
import type { CallOptions, Connection } from "../connection.ts";
import { apiPath } from "../request/api-request.ts";
import { requestDeletion, requestJson } from "../request/send-request.ts";
import type { AttachTerminalOptions, Terminal } from "./terminal.ts";

/** Options of {@link Terminals.create}. */
export interface CreateTerminalOptions extends AttachTerminalOptions {
  /** Width in characters, 1-1000. */
  cols: number;
  /** Height in characters, 1-1000. */
  rows: number;
  /** Path of the shell in the sandbox, or a name in its `PATH`. Default `/bin/bash`. */
  shell?: string | undefined;
}

/** The terminals of one sandbox: shells with job control, for people and full-screen programs. */
export interface Terminals {
  /**
   * Opens a terminal and attaches to it. Its login shell runs as the user `sandbox`, with the
   * sandbox's variables and sealed tokens, until it ends, also when this client disconnects.
   *
   * @throws {OpenComputerError} `command_not_found` for a shell that does not exist;
   * `invalid_request`, `too_many_requests`, `sandbox_not_found`.
   */
  create(options: CreateTerminalOptions): Promise<Terminal>;
  /**
   * Attaches to a terminal, also to one that has ended: its last output, at most 256 KiB,
   * is replayed. A full-screen program redraws when the terminal is resized, also to the size
   * that it has.
   *
   * @throws {OpenComputerError} `session_not_found`.
   */
  attach(sessionId: string, options?: AttachTerminalOptions): Promise<Terminal>;
  /** Lists the running terminals, and the last of those that have ended. */
  list(options?: CallOptions): Promise<TerminalInfo[]>;
  /** Returns one terminal. @throws {OpenComputerError} `session_not_found`. */
  get(sessionId: string, options?: CallOptions): Promise<TerminalInfo>;
  /** Resizes a terminal, in characters, 1-1000 each. @throws {OpenComputerError} `session_not_found`. */
  resize(sessionId: string, size: TerminalSize, options?: CallOptions): Promise<void>;
  /**
   * Ends a terminal as closing its window does: its shell and what runs in the foreground get
   * SIGHUP. The terminal is then no longer listed.
   *
   * @throws {OpenComputerError} `session_not_found`.
   */
  kill(sessionId: string, options?: CallOptions): Promise<void>;
}

export function createTerminals(connection: Connection, sandboxId: string): Terminals {
  const path = apiPath`/sandboxes/${sandboxId}/pty`;
  const at = (signal: AbortSignal | undefined): Connection => ({ ...connection, signal });

  /** WebSockets are loaded on first use: most programs need none. */
  async function attachTo(sessionId: string, options: AttachTerminalOptions): Promise<Terminal> {
    const { attachTerminal } = await import("./attach-terminal.ts");
    return await attachTerminal({ connection, terminals, sandboxId, sessionId }, options);
  }

  const terminals: Terminals = {
    async create({ cols, rows, shell, ...options }) {
      const { sessionID } = await requestJson(
        at(options.signal),
        { method: "POST", path, body: { kind: "json", value: { cols, rows, shell } } },
        openedTerminalSchema,
      );
      return await attachTo(sessionID, options);
    },
    async attach(sessionId, options = {}) {
      await terminals.get(sessionId, { signal: options.signal });
      return await attachTo(sessionId, options);
    },
    async list(options = {}) {
      return await requestJson(at(options.signal), { method: "GET", path }, terminalListSchema);
    },
    async get(sessionId, options = {}) {
      return await requestJson(
        at(options.signal),
        { method: "GET", path: path + apiPath`/${sessionId}` },
        terminalSchema,
      );
    },
    async resize(sessionId, { cols, rows }, options = {}) {
      await requestJson(
        at(options.signal),
        {
          method: "POST",
          path: path + apiPath`/${sessionId}/resize`,
          body: { kind: "json", value: { cols, rows } },
        },
        resizedTerminalSchema,
      );
    },
    async kill(sessionId, options = {}) {
      await requestDeletion(at(options.signal), {
        method: "DELETE",
        path: path + apiPath`/${sessionId}`,
      });
    },
  };
  return terminals;
}
