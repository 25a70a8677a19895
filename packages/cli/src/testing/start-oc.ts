import { EventEmitter } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable, Writable } from "node:stream";
import { type ContractServer, startContractServer } from "@opencomputer/sdk/testing";
import type { CliContext } from "../cli-context.ts";
import type { TerminalStream } from "../output/with-progress.ts";
import { loadOra } from "../output/with-progress.ts";
import { runCli } from "../run-cli.ts";

export interface OcResult {
  exitCode: number;
  stdout: string;
  stderr: string;
}

/** The CLI in this process, connected to a contract server. */
export interface Oc {
  server: ContractServer;
  configPath: string;
  /**
   * Runs one command line. `environment` is added to the URL and the key of
   * the server; with `columns`, stdout and stderr are terminals of that width.
   * `onStderr` receives the text that is written to stderr.
   */
  run(
    words: readonly string[],
    options?: {
      input?: string | Uint8Array;
      environment?: Record<string, string>;
      columns?: number;
      onStderr?: (text: string) => void;
      /** Emits the signals that the CLI receives. */
      signals?: EventEmitter;
      /** Instead of `input`. */
      stdin?: CliContext["stdin"];
      onStdout?: (text: string) => void;
    },
  ): Promise<OcResult>;
  /** As `run`, for a command line that must succeed; returns its stdout. */
  done(words: readonly string[], input?: string): Promise<string>;
  end(): Promise<void>;
}

export async function startOc(): Promise<Oc> {
  const server = await startContractServer();
  // A loaded spinner starts at once when its timer fires, which tests mock.
  await loadOra();
  const folder = await mkdtemp(join(tmpdir(), "oc-test-"));
  const configPath = join(folder, ".oc", "config.json");

  const run: Oc["run"] = async (words, options = {}) => {
    const stdout = collector(options.columns, options.onStdout);
    const stderr = collector(options.columns, options.onStderr);
    const exitCode = await runCli(words, {
      environment: {
        OPENCOMPUTER_API_URL: server.url,
        OPENCOMPUTER_API_KEY: server.apiKey,
        ...options.environment,
      },
      configPath,
      version: "1.2.3",
      stdin: options.stdin ?? Readable.from([Buffer.from(options.input ?? "")]),
      signals: options.signals ?? new EventEmitter(),
      stdout: stdout.stream,
      stderr: stderr.stream,
    });
    return { exitCode, stdout: stdout.text(), stderr: stderr.text() };
  };

  return {
    server,
    configPath,
    run,
    async done(words, input = "") {
      const result = await run(words, { input });
      if (result.exitCode !== 0) {
        throw new Error(`oc ${words.join(" ")} ended with ${result.exitCode}: ${result.stderr}`);
      }
      return result.stdout;
    },
    async end() {
      await server.close();
      await rm(folder, { recursive: true });
    },
  };
}

function collector(
  columns?: number,
  onText?: (text: string) => void,
): { stream: TerminalStream; text(): string } {
  const parts: Buffer[] = [];
  const stream = new Writable({
    write(part: Buffer, _encoding, done) {
      parts.push(part);
      onText?.(part.toString());
      done();
    },
  });
  const stay = () => true;
  const terminal = { isTTY: true, columns, cursorTo: stay, moveCursor: stay, clearLine: stay };
  return {
    stream: columns === undefined ? stream : Object.assign(stream, terminal),
    text: () => Buffer.concat(parts).toString(),
  };
}
