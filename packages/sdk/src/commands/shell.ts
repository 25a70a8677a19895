import type { CommandResult } from "@opencomputer/protocol/api";
import { OpenComputerError } from "../open-computer-error.ts";
import type { AttachOptions } from "./attach-session.ts";
import type { CommandSession } from "./command-session.ts";
import { createDeferred } from "./deferred.ts";
import { createMarkedStream } from "./marked-stream.ts";
import { ShellBusyError, ShellClosedError } from "./shell-errors.ts";
import { interruptShell, type ShellInterruption } from "./shell-interruption.ts";
import { createShellOutput } from "./shell-output.ts";
import { createCommandMarkers, shellPrologue, shellScript } from "./shell-script.ts";

/** Options of a persistent shell. */
export interface ShellOptions {
  /** Path of the bash to run. Default `/bin/bash`. */
  shell?: string | undefined;
  /** Initial working directory. Default `/home/sandbox`. */
  cwd?: string | undefined;
  /** Initial variables; they override the sandbox's. */
  envs?: Readonly<Record<string, string>> | undefined;
  /** Another name of `envs`; where both have a variable, that of `envs` applies. */
  env?: Readonly<Record<string, string>> | undefined;
  /** Aborts the opening, or detaches from the shell once it is open. */
  signal?: AbortSignal | undefined;
}

/** Options of a command of a persistent shell. */
export interface ShellRunOptions {
  /**
   * Seconds until the command is interrupted, as by Ctrl-C; the result then
   * has `exitCode` -1 and `stderr` ends with `Process timed out`. A command
   * that still runs is interrupted again after 2 s and 4 s, and killed
   * together with the shell after 6 s, which `stderr` states. Absent or 0: never.
   */
  timeout?: number | undefined;
  /** Called with the output of the command. Until a promise that it returns resolves, nothing more is read. */
  onStdout?: ((data: Uint8Array) => void | Promise<void>) | undefined;
  /** As `onStdout`, for the other stream. */
  onStderr?: ((data: Uint8Array) => void | Promise<void>) | undefined;
  /** Interrupts the command as `timeout` does; the call then rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/**
 * A bash that persists between commands: changes that one makes to the working
 * directory, variables, functions and options apply to later ones. It runs one
 * command at a time. It is a command session: `exec.list` lists it, and it
 * continues when this client disconnects.
 */
export interface Shell {
  /** The id by which `exec.reattachShell` attaches to the shell again. */
  readonly sessionId: string;
  /** The exit code of the shell itself; undefined while it runs. */
  readonly exitCode: number | undefined;
  /**
   * Runs a command, of any number of lines, to its end. It reads its input
   * from `/dev/null`, and redirections by `exec` apply to that command
   * alone. One that ends the shell, as `exit 3` does, or any
   * failure after `set -e`, gives the shell's exit code; the shell is then
   * closed. Output of background jobs belongs to the command that runs at
   * that time, and is dropped when none does. Each stream is kept up to
   * 32 MiB; `truncated` is true when there was more.
   *
   * @throws {ShellBusyError} while another command runs.
   * @throws {ShellClosedError} after its end, `close`, or the loss of the connection.
   * @throws {OpenComputerError} `connection_failed` when the connection is
   * lost meanwhile; what a callback threw, once the command has ended.
   */
  run(cmd: string, options?: ShellRunOptions): Promise<CommandResult>;
  /**
   * Ends the shell. A command that still runs is killed, with all that the
   * shell has started; otherwise background jobs keep running. Closing a closed shell is no error.
   */
  close(): Promise<void>;
}

/** The command that is running. */
interface Run {
  readonly take: Record<"stdout" | "stderr", (data: Uint8Array) => void | Promise<void>>;
  endWithShell(exitCode: number): void;
  fail(error: unknown): void;
}

/**
 * Makes a shell from a session whose command is bash.
 *
 * @param attach Attaches with these handlers.
 * @param isNew False for one that was prepared before: it is waited for until
 * a command that it still runs has ended.
 * @throws {OpenComputerError} `invalid_request` for a program that is not bash.
 */
export async function openShell(
  attach: (handlers: AttachOptions) => Promise<CommandSession>,
  isNew: boolean,
): Promise<Shell> {
  let current: Run | undefined;
  let exitCode: number | undefined;
  let closedBecause: { reason: string; cause?: unknown } | undefined;
  let saidAtStart = "";

  const session = await attach({
    onStdout: (data) => current?.take.stdout(data),
    onStderr(data) {
      if (saidAtStart.length < 2000) saidAtStart += new TextDecoder().decode(data);
      return current?.take.stderr(data);
    },
  });
  const { sessionId } = session;
  const ended = session.wait().then(
    (code) => {
      exitCode = code;
      closedBecause ??= { reason: `has ended with exit code ${code}: open another one` };
      current?.endWithShell(code);
    },
    (cause: unknown) => {
      const way = "attach to it again with exec.reattachShell";
      closedBecause ??= { reason: `was lost: ${way}`, cause };
      current?.fail(cause);
    },
  );

  function start(cmd: string, options: ShellRunOptions): Promise<CommandResult> {
    if (closedBecause !== undefined) {
      const { reason, cause } = closedBecause;
      throw new ShellClosedError(sessionId, reason, { cause });
    }
    if (current !== undefined) throw new ShellBusyError(sessionId);
    const run = createRun(session, cmd, options);
    current = run;
    return run.result.finally(() => {
      current = undefined;
    });
  }

  const shell: Shell = {
    sessionId,
    get exitCode() {
      return exitCode;
    },
    async run(cmd, options = {}) {
      options.signal?.throwIfAborted();
      if (cmd.includes("\0")) {
        const text = "Cannot run the command in a shell: expected no NUL in it";
        throw new OpenComputerError("invalid_request", text);
      }
      return await start(cmd, options);
    },
    async close() {
      if (closedBecause !== undefined) return await ended;
      closedBecause = { reason: "was closed: open another one" };
      await (current === undefined ? session.sendStdin("builtin exit\n") : session.kill());
      await ended;
    },
  };

  try {
    if (isNew) await session.sendStdin(shellPrologue);
    await start(":", {});
  } catch (error) {
    session.close();
    await ended;
    if (exitCode === undefined) throw error;
  }
  if (exitCode === undefined) return shell;
  throw new OpenComputerError(
    "invalid_request",
    `Cannot open a shell: expected ${session.info.command} to be bash, and it ended with exit code ${exitCode}: ${saidAtStart.trim()}`,
  );
}

function createRun(session: CommandSession, cmd: string, options: ShellRunOptions) {
  const markers = createCommandMarkers();
  const done = createDeferred<CommandResult>();
  const output = { stdout: createShellOutput(), stderr: createShellOutput() };
  let callbackError: { error: unknown } | undefined;
  let pending: (void | Promise<void>)[] = [];
  let interruption: (ShellInterruption & { isTimeOut: boolean }) | undefined;
  let isFinished = false;

  function createStream(stream: "stdout" | "stderr") {
    const callback = stream === "stdout" ? options.onStdout : options.onStderr;
    return createMarkedStream(markers, {
      hasExitCode: stream === "stdout",
      handle(data) {
        output[stream].add(data);
        if (callback === undefined || callbackError !== undefined) return;
        try {
          pending.push(callback(data));
        } catch (error) {
          callbackError = { error };
        }
      },
    });
  }
  const streams = { stdout: createStream("stdout"), stderr: createStream("stderr") };

  /** The shell continues when a callback throws; the call rejects with that error at the end. */
  async function settleCallbacks(): Promise<void> {
    const promises = pending;
    pending = [];
    for (const promise of promises) {
      try {
        await promise;
      } catch (error) {
        callbackError ??= { error };
      }
    }
  }

  async function take(stream: "stdout" | "stderr", data: Uint8Array): Promise<void> {
    streams[stream].push(data);
    interruption?.take(stream, data);
    if (pending.length > 0) await settleCallbacks();
    if (hasEnded() && interruption === undefined) finish(streams.stdout.exitCode() ?? -1, "");
  }
  const hasEnded = () => streams.stdout.hasEnded() && streams.stderr.hasEnded();

  function finish(exitCode: number, shellEnd: string): void {
    if (isFinished) return;
    isFinished = true;
    if (callbackError !== undefined) done.reject(callbackError.error);
    if (interruption?.isTimeOut === false) done.reject(options.signal?.reason);
    const timedOut = interruption !== undefined;
    const isTruncated = output.stdout.isTruncated() || output.stderr.isTruncated();
    done.resolve({
      exitCode: timedOut ? -1 : exitCode,
      stdout: output.stdout.text(),
      stderr: output.stderr.text() + (timedOut ? `\nProcess timed out${shellEnd}` : ""),
      ...(isTruncated ? { truncated: true } : {}),
    });
  }

  function beginInterruption(isTimeOut: boolean): void {
    if (interruption !== undefined || isFinished) return;
    interruption = { ...interruptShell(session, { markers, hasEnded }), isTimeOut };
    interruption.done.then(() => settleCallbacks()).then(() => finish(-1, ""), fail);
  }
  const abort = () => beginInterruption(false);
  const timer = options.timeout
    ? setTimeout(() => beginInterruption(true), options.timeout * 1000)
    : undefined;
  options.signal?.addEventListener("abort", abort, { once: true });
  function fail(error: unknown): void {
    isFinished = true;
    done.reject(error);
  }
  function release(): void {
    clearTimeout(timer);
    interruption?.giveUp();
    options.signal?.removeEventListener("abort", abort);
  }

  session.sendStdin(shellScript(cmd, markers)).catch(fail);
  return {
    result: done.promise.finally(release),
    take: {
      stdout: (data: Uint8Array) => take("stdout", data),
      stderr: (data: Uint8Array) => take("stderr", data),
    },
    endWithShell(exitCode: number) {
      for (const stream of Object.values(streams)) stream.flush();
      void settleCallbacks().then(() =>
        finish(exitCode, ": it did not end when it was interrupted, and the shell was killed"),
      );
    },
    fail,
  };
}
