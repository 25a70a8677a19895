import type { EventEmitter } from "node:events";
import type { Readable } from "node:stream";
import type { TerminalStream } from "./output/with-progress.ts";

/** What the CLI uses of the process that it runs in. */
export interface CliContext {
  environment: Readonly<Record<string, string | undefined>>;
  /** Path of the file that `oc config` writes. */
  configPath: string;
  version: string;
  stdin: Readable & { isTTY?: boolean; setRawMode?: (isRaw: boolean) => unknown };
  stdout: TerminalStream;
  stderr: TerminalStream;
  /** Emits `SIGINT`, `SIGTERM` and `SIGHUP`; one without a listener ends the process. */
  signals: Pick<EventEmitter, "on" | "off">;
}

/** A local error, such as malformed arguments or an unreadable file: `oc` exits with 1. */
export class CliError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: { cause: unknown }) {
    super(message, options);
    this.name = "CliError";
    this.code = code;
  }
}
