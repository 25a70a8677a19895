import { once } from "node:events";
import type { Writable } from "node:stream";
import { type AttachOptions, type CommandSession, OpenComputerError } from "@opencomputer/sdk";
import type { CliContext } from "../../cli-context.ts";
import { CliError } from "../../cli-error.ts";

const sigpipe = 13;

/** What an interrupt of `oc` does: it may use the session, and says whether `oc` is to leave it. */
export type OnInterrupt = (
  session: CommandSession,
  name: InterruptName,
  count: number,
) => "stay" | "leave";
export type InterruptName = "SIGINT" | "SIGTERM" | "SIGHUP";
const interruptNames: readonly InterruptName[] = ["SIGINT", "SIGTERM", "SIGHUP"];

/** So many end the wait for a service that does not answer. */
const interruptsMax = 3;

/** How the session ended for `oc`. */
export type SessionEnd = { kind: "exited"; exitCode: number } | { kind: "left" };

/**
 * Connects `oc` to a session until the command ends: its output here, and
 * this input there unless it is a terminal's. A reader of the output that has
 * seen enough, such as `head`, ends the command as it would end a local one.
 */
export async function streamSession(
  context: CliContext,
  attach: (options: AttachOptions) => Promise<CommandSession>,
  {
    input,
    onInterrupt,
  }: {
    /** Whether the command's input ends when this one does: others may write to it, too. */
    input: "whole" | "part";
    onInterrupt: OnInterrupt;
  },
): Promise<SessionEnd> {
  const stdout = createOutput(context.stdout);
  const stderr = createOutput(context.stderr);
  const leave = new AbortController();
  const early: (() => void)[] = [];
  let interrupts = 0;
  let session: CommandSession | undefined;
  const listeners = interruptNames.map((name) => {
    const tell = (count: number): void => {
      if (session === undefined) early.push(() => tell(count));
      else if (onInterrupt(session, name, count) === "leave") leave.abort();
    };
    const listener = () => {
      interrupts += 1;
      if (session === undefined && interrupts >= interruptsMax) leave.abort();
      else tell(interrupts);
    };
    context.signals.on(name, listener);
    return () => void context.signals.off(name, listener);
  });
  let ended = false;
  try {
    session = await attach({
      onStdout: stdout.write,
      onStderr: stderr.write,
      signal: leave.signal,
    });
    for (const tell of early) tell();
    sendInput(context.stdin, session, input).catch((error: unknown) => {
      // A connection that is lost is told of by the wait for the end.
      if (ended || error instanceof OpenComputerError) return;
      context.stderr.write(`warning: the input was not passed on: ${error}\n`);
    });
    return { kind: "exited", exitCode: await session.wait() };
  } catch (error) {
    if (leave.signal.aborted) return { kind: "left" };
    if (session !== undefined && error instanceof OutputClosedError) {
      await session.kill(sigpipe);
      return { kind: "exited", exitCode: 128 + sigpipe };
    }
    throw session === undefined ? error : withWayBack(error, session);
  } finally {
    ended = true;
    // An idle pipe would keep the process alive.
    context.stdin.destroy();
    for (const end of [...listeners, stdout.release, stderr.release]) end();
  }
}

async function sendInput(
  stdin: CliContext["stdin"],
  session: CommandSession,
  input: "whole" | "part",
): Promise<void> {
  if (stdin.isTTY !== true) {
    for await (const part of stdin) await session.sendStdin(part);
  }
  if (input === "whole") await session.endStdin();
}

/** Whoever reads the output does not want any more. */
class OutputClosedError extends Error {}

function createOutput(stream: Writable) {
  let failure: Error | undefined;
  const fail = (error: Error): void => {
    failure = new OutputClosedError("The output is closed", { cause: error });
  };
  stream.on("error", fail);
  return {
    async write(data: Uint8Array): Promise<void> {
      if (failure !== undefined) throw failure;
      if (stream.write(data)) return;
      try {
        await once(stream, "drain");
      } catch (cause) {
        throw new OutputClosedError("The output is closed", { cause });
      }
    },
    release: () => void stream.off("error", fail),
  };
}

function withWayBack(error: unknown, session: CommandSession): unknown {
  if (!(error instanceof OpenComputerError) || error.code !== "connection_failed") return error;
  const { sandboxID, sessionID } = session.info;
  return new CliError(
    "connection_failed",
    `The connection was lost; the command runs on. Go on with: oc exec attach ${sandboxID} ${sessionID}`,
  );
}
