import type { CommandResult } from "@opencomputer/protocol/api";
import type { CommandSession } from "./command-session.ts";
import { createDeferred } from "./deferred.ts";
import { createMarkedStream } from "./marked-stream.ts";
import { interruptShell, type ShellInterruption } from "./shell-interruption.ts";
import { createShellOutput } from "./shell-output.ts";
import { createCommandMarkers, shellScript } from "./shell-script.ts";

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

/** A command that a shell is running. */
export interface ShellRun {
  readonly result: Promise<CommandResult>;
  readonly take: Record<"stdout" | "stderr", (data: Uint8Array) => void | Promise<void>>;
  endWithShell(exitCode: number): void;
  fail(error: unknown): void;
}

/** Sends a command to the bash of a session, and reads its result. */
export function createShellRun(
  session: CommandSession,
  cmd: string,
  options: ShellRunOptions,
): ShellRun {
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
