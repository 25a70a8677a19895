import type { BuildLogEvent, ConnectionOptions } from "@opencomputer/sdk";
import type { Command } from "commander";
import { globalOptionsSchema, readOptions } from "./arguments/define-command.ts";
import type { CliContext } from "./cli-context.ts";
import { CliError } from "./cli-context.ts";
import { resolveSettings } from "./config/connection-settings.ts";
import { createHttpFetch } from "./http-fetch.ts";
import { printableJson, printableLines } from "./output/format.ts";
import { formatTable } from "./output/table.ts";
import { withBuildLog } from "./output/with-build-log.ts";
import { withProgress } from "./output/with-progress.ts";

/** One run of a command: its output and its connection to the service. */
export interface Invocation {
  json: boolean;
  /** Connection options from the flags, the environment and the file. @throws {CliError} without a key. */
  connection(): Promise<ConnectionOptions & { apiKey: string }>;
  /** Prints a result: `text`, or `value` with `--json`. */
  print(text: string, value: unknown): void;
  /** Prints a table, cut to the width of a terminal. Without rows it prints nothing. */
  printTable(head: readonly string[], rows: readonly (readonly string[])[], value: unknown): void;
  /** Writes a note to stderr, except with `--json`. */
  note(text: string): void;
  /** Writes a warning to stderr, with `--json` as `{"warning"}`. */
  warn(text: string): void;
  /** Waits for `work`; a terminal shows `text` meanwhile, except with `--json`. */
  progress<Result>(text: string, work: Promise<Result>): Promise<Result>;
  /** Waits for `work` that may build an image, and shows the build log, except with `--json`. */
  build<Result>(
    text: string,
    work: (onBuildLog: (event: BuildLogEvent) => void) => Promise<Result>,
  ): Promise<Result>;
}

export function openInvocation(context: CliContext, command: Command): Invocation {
  const flags = readOptions(command, globalOptionsSchema);
  const { stdout, stderr } = context;
  const httpFetch = createHttpFetch();

  function print(text: string, value: unknown): void {
    const output = flags.json ? printableJson(value, 2) : printableLines(text);
    if (output !== "") stdout.write(`${output}\n`);
  }

  function warn(text: string): void {
    const line = flags.json
      ? printableJson({ warning: text })
      : // It may quote what a sandbox printed.
        `warning: ${printableLines(text)}`;
    stderr.write(`${line}\n`);
  }

  let shownProgress: string | undefined;
  /** Shows each step of the service's start once, in place of the spinner's line. */
  function onStarting(progress: string): void {
    if (flags.json || progress === shownProgress) return;
    shownProgress = progress;
    stderr.write(
      `${stderr.isTTY === true ? "\r\u001b[K" : ""}Waiting for the service: ${progress}\n`,
    );
  }

  return {
    json: flags.json,
    async connection() {
      const { apiKey, apiUrl } = await resolveSettings(context, flags);
      if (flags.apiKey !== undefined) {
        warn(
          "an API key on the command line is visible to other processes and saved in your shell's history: use OPENCOMPUTER_API_KEY or `oc config set api-key --from-stdin` instead",
        );
      }
      if (apiKey.value === undefined) {
        throw new CliError(
          "missing_api_key",
          "No API key: run `oc config set api-key --from-stdin`, set OPENCOMPUTER_API_KEY, or pass --api-key (`npm run serve` prints where the key is)",
        );
      }
      return { apiKey: apiKey.value, apiUrl: apiUrl.value, fetch: httpFetch, onStarting };
    },
    print,
    printTable(head, rows, value) {
      const columns = stdout.isTTY === true ? stdout.columns : undefined;
      print(rows.length === 0 ? "" : formatTable(head, rows, columns), value);
    },
    note(text) {
      if (!flags.json) stderr.write(`${printableLines(text)}\n`);
    },
    warn,
    progress: (text, work) => (flags.json ? work : withProgress(stderr, text, work)),
    build: (text, work) => (flags.json ? work(() => undefined) : withBuildLog(stderr, text, work)),
  };
}
