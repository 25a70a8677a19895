import { once } from "node:events";
import { type AttachTerminalOptions, OpenComputerError, type Terminal } from "@opencomputer/sdk";
import type { CliContext } from "../../cli-context.ts";
import { CliError } from "../../cli-error.ts";
import { createDetachKey } from "./detach-key.ts";
import { holdTerminal } from "./hold-terminal.ts";

export type TerminalSession = Pick<
  Terminal,
  "sessionId" | "send" | "resize" | "kill" | "close" | "exited"
>;

/** Signals that end `oc`; the shell runs on. 128 + n is the exit code. */
const endingSignals = { SIGHUP: 1, SIGTERM: 15 } as const;
/** Ends the line, and at its beginning the input. */
const endOfInput = "\u0004";

/**
 * Connects this terminal to one in a sandbox until its shell ends or the user
 * detaches; returns the exit code. Whatever happens, the terminal is as it was.
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
  const write = context.write ?? ((data) => writeOut(stdout, data));
  const leave = new AbortController();
  let ending: number | undefined;
  const listeners = Object.entries(endingSignals).map(([name, number]) => {
    const listener = (): void => {
      ending = 128 + number;
      leave.abort();
    };
    signals.on(name, listener);
    return () => void signals.off(name, listener);
  });
  let session: TerminalSession | undefined;
  let release = (): void => undefined;
  const wayBack = () => `Go on with: oc shell ${sandboxId} --attach ${session?.sessionId}`;
  try {
    const opened = await open({ onOutput: write, signal: leave.signal });
    session = opened;
    release = holdTerminal(stdin);
    const resize = (): void => {
      const size = sizeOf();
      // A connection that is lost is reported by the wait for the end.
      if (size !== undefined) opened.resize(size.cols, size.rows).catch(() => undefined);
    };
    stdout.on("resize", resize);
    listeners.push(() => void stdout.off("resize", resize));
    typeInput(stdin, opened, () => leave.abort()).catch(() => undefined);
    return await opened.exited;
  } catch (error) {
    release();
    if (leave.signal.aborted) {
      if (session !== undefined) stderr.write(`\r\nDetached; the shell runs on. ${wayBack()}\n`);
      return ending ?? 0;
    }
    if (error instanceof OutputClosedError && session !== undefined) {
      await session.kill();
      return 128 + 13;
    }
    if (error instanceof OpenComputerError && error.code === "connection_failed" && session) {
      throw new CliError(
        "connection_failed",
        `The connection was lost; the shell runs on. ${wayBack()}`,
      );
    }
    throw error;
  } finally {
    release();
    // An idle input would keep the process alive.
    stdin.destroy();
    for (const end of listeners) end();
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

/** Whoever reads the output wants no more of it. */
class OutputClosedError extends Error {}

async function writeOut(stdout: CliContext["stdout"], data: Uint8Array): Promise<void> {
  if (stdout.destroyed) throw new OutputClosedError("The output is closed");
  if (stdout.write(data)) return;
  try {
    await once(stdout, "drain");
  } catch (cause) {
    throw new OutputClosedError("The output is closed", { cause });
  }
}
