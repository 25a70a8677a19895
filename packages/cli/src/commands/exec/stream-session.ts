import { type AttachOptions, type CommandSession, OpenComputerError } from "@opencomputer/sdk";
import type { CliContext } from "../../cli-context.ts";
import { CliError } from "../../cli-context.ts";
import { createOutput, OutputClosedError } from "../../output/create-output.ts";

const sigpipe = 13;

/** Handles an interrupt of `oc`; returns whether `oc` keeps waiting for the session or detaches. */
export type OnInterrupt = (
  session: CommandSession,
  name: InterruptName,
  count: number,
) => "wait" | "detach";
export type InterruptName = "SIGINT" | "SIGTERM" | "SIGHUP";
const interruptNames: readonly InterruptName[] = ["SIGINT", "SIGTERM", "SIGHUP"];

/** Number of interrupts that end the wait for a service that does not respond. */
const interruptsMax = 3;

/** How the session ended for `oc`. */
export type SessionEnd = { kind: "exited"; exitCode: number } | { kind: "detached" };

/**
 * Connects stdin, stdout and stderr of `oc` to a session until the command ends.
 * A terminal's stdin is not forwarded. If the reader of stdout exits, as `head`
 * does, the command receives SIGPIPE, as a local one would.
 */
export async function streamSession(
  context: CliContext,
  attach: (options: AttachOptions) => Promise<CommandSession>,
  {
    input,
    onInterrupt,
  }: {
    /** `whole` ends the command's input at the end of stdin; with `part`, other clients may still write. */
    input: "whole" | "part";
    onInterrupt: OnInterrupt;
  },
): Promise<SessionEnd> {
  const stdout = createOutput(context.stdout);
  const stderr = createOutput(context.stderr);
  const detach = new AbortController();
  const pendingInterrupts: (() => void)[] = [];
  let interrupts = 0;
  let session: CommandSession | undefined;
  const listeners = interruptNames.map((name) => {
    const handle = (count: number): void => {
      if (session === undefined) pendingInterrupts.push(() => handle(count));
      else if (onInterrupt(session, name, count) === "detach") detach.abort();
    };
    const listener = () => {
      interrupts += 1;
      if (session === undefined && interrupts >= interruptsMax) detach.abort();
      else handle(interrupts);
    };
    context.signals.on(name, listener);
    return () => void context.signals.off(name, listener);
  });
  let ended = false;
  try {
    session = await attach({
      onStdout: stdout.write,
      onStderr: stderr.write,
      signal: detach.signal,
    });
    for (const interrupt of pendingInterrupts) interrupt();
    sendInput(context.stdin, session, input).catch((error: unknown) => {
      // The wait for the end reports a lost connection.
      if (ended || error instanceof OpenComputerError) return;
      context.stderr.write(`warning: stdin was not forwarded: ${error}\n`);
    });
    return { kind: "exited", exitCode: await session.wait() };
  } catch (error) {
    if (detach.signal.aborted) return { kind: "detached" };
    if (session !== undefined && error instanceof OutputClosedError) {
      await session.kill(sigpipe);
      return { kind: "exited", exitCode: 128 + sigpipe };
    }
    throw session === undefined ? error : withAttachCommand(error, session);
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

function withAttachCommand(error: unknown, session: CommandSession): unknown {
  if (!(error instanceof OpenComputerError) || error.code !== "connection_failed") return error;
  const { sandboxID, sessionID } = session.info;
  return new CliError(
    "connection_failed",
    `The connection was lost; the command keeps running. Attach again with: oc exec attach ${sandboxID} ${sessionID}`,
  );
}
