import type { EventEmitter } from "node:events";
import type { Readable } from "node:stream";
import type { TerminalStream } from "./output/with-progress.ts";

/** What the command line takes from the process it runs in. */
export interface CliContext {
  environment: Readonly<Record<string, string | undefined>>;
  /** Where the settings of `oc config` lie. */
  configPath: string;
  version: string;
  stdin: Readable & { isTTY?: boolean; setRawMode?: (isRaw: boolean) => unknown };
  stdout: TerminalStream;
  stderr: TerminalStream;
  /** Where `SIGINT` and its like are heard; without a listener they end the process. */
  signals: Pick<EventEmitter, "on" | "off">;
}
