import { type AttachTerminalOptions, OpenComputerError, type Terminal } from "@opencomputer/sdk";
import type { CliContext } from "../../cli-context.ts";
import { CliError } from "../../cli-context.ts";
import { createOutput, OutputClosedError } from "../../output/create-output.ts";
import { createDetachKey } from "./detach-key.ts";

export type TerminalSession = Pick<
  Terminal,
  "sessionId" | "send" | "resize" | "kill" | "close" | "exited"
>;

/** Signals at which `oc` detaches and exits with 128 + n. */
const endingSignals = { SIGHUP: 1, SIGTERM: 15 } as const;
/** Ctrl-D: ends the input at the beginning of a line. */
const endOfInput = "\u0004";

/**
 * Connects this terminal to one in a sandbox until its shell ends or the user
 * detaches; returns the exit code. The terminal's mode is always restored.
 */
export async function runTerminal(
  context: Pick<CliContext, "stdin" | "stdout" | "stderr" | "signals"> & {
    write?: (data: Uint8Array) => Promise<void>;
  },
  open: (options: AttachTerminalOptions) => Promise<TerminalSession>,
  {
    sandboxId,
    sizeOf,
  }: { sandboxId: string; sizeOf: () => { cols: number; rows: number } | undefined },
): Promise<number> {
  const { stdin, stdout, stderr, signals } = context;
  const output = createOutput(stdout);
  const write = context.write ?? output.write;
  const detach = new AbortController();
  let ending: number | undefined;
  const listeners = Object.entries(endingSignals).map(([name, number]) => {
    const listener = (): void => {
      ending = 128 + number;
      detach.abort();
    };
    signals.on(name, listener);
    return () => void signals.off(name, listener);
  });
  let session: TerminalSession | undefined;
  let release = (): void => undefined;
  const attachCommand = () =>
    `Attach again with: oc shell ${sandboxId} --attach ${session?.sessionId}`;
  try {
    const opened = await open({ onOutput: write, signal: detach.signal });
    session = opened;
    release = setRawMode(stdin);
    const resize = (): void => {
      const size = sizeOf();
      // The wait for the end reports a lost connection.
      if (size !== undefined) opened.resize(size.cols, size.rows).catch(() => undefined);
    };
    stdout.on("resize", resize);
    listeners.push(() => void stdout.off("resize", resize));
    typeInput(stdin, opened, () => detach.abort()).catch(() => undefined);
    return await opened.exited;
  } catch (error) {
    release();
    if (detach.signal.aborted) {
      if (session !== undefined)
        stderr.write(`\r\nDetached; the shell keeps running. ${attachCommand()}\n`);
      return ending ?? 0;
    }
    if (error instanceof OutputClosedError && session !== undefined) {
      await session.kill();
      return 128 + 13;
    }
    if (error instanceof OpenComputerError && error.code === "connection_failed" && session) {
      throw new CliError(
        "connection_failed",
        `The connection was lost; the shell keeps running. ${attachCommand()}`,
      );
    }
    throw error;
  } finally {
    release();
    // An idle input would keep the process alive.
    stdin.destroy();
    for (const end of [...listeners, output.release]) end();
  }
}

async function typeInput(
  stdin: CliContext["stdin"],
  session: TerminalSession,
  detach: () => void,
): Promise<void> {
  const key = createDetachKey();
  for await (const part of stdin) {
    if (stdin.isTTY !== true) {
      await session.send(part);
      continue;
    }
    const { typed, isDetached } = key.take(Buffer.from(part));
    if (typed.length > 0) await session.send(typed);
    if (isDetached) return detach();
  }
  if (stdin.isTTY !== true) await session.send(endOfInput);
}

/**
 * Puts a terminal into raw mode (termios(3)), so that every key is sent to the
 * sandbox, until the returned function is called or the process exits.
 */
function setRawMode(stdin: CliContext["stdin"]): () => void {
  if (stdin.isTTY !== true || stdin.setRawMode === undefined) return () => undefined;
  let isRaw = true;
  const release = (): void => {
    if (!isRaw) return;
    isRaw = false;
    process.off("exit", release);
    stdin.setRawMode?.(false);
  };
  // Uncaught errors and process.exit come here, too.
  process.once("exit", release);
  stdin.setRawMode(true);
  return release;
}
