import type { CommandResult } from "@opencomputer/protocol/api";
import { OpenComputerError } from "../open-computer-error.ts";
import type { AttachOptions } from "./attach-session.ts";
import type { CommandSession } from "./command-session.ts";
import { ShellBusyError, ShellClosedError } from "./shell-errors.ts";
import { createShellRun, type ShellRun, type ShellRunOptions } from "./shell-run.ts";
import { shellPrologue } from "./shell-script.ts";

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
  let current: ShellRun | undefined;
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
    const run = createShellRun(session, cmd, options);
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
