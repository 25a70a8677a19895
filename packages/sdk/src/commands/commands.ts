import {
  type AsyncCommand,
  asyncCommandSchema,
  type CommandProgress,
  type CommandResult,
  commandProgressSchema,
  commandResultSchema,
  commandSessionListSchema,
  commandSessionSchema,
  defaults,
  killedSessionSchema,
  type CommandSession as SessionInfo,
} from "@opencomputer/protocol/api";
import type { CallOptions, Connection } from "../connection.ts";
import { type ApiRequest, apiPath } from "../request/api-request.ts";
import { requestJson } from "../request/send-request.ts";
import type { AttachOptions } from "./attach-session.ts";
import type { CommandSession } from "./command-session.ts";
import { randomHex } from "./random-hex.ts";
import type { Shell, ShellOptions } from "./shell.ts";

/** Options of a command. */
export interface RunOptions {
  /**
   * Arguments. With them `cmd` is a program and nothing is interpreted;
   * without them `cmd` is a script for the sandbox's shell.
   */
  args?: readonly string[] | undefined;
  /** Variables of this command; they override the sandbox's. */
  envs?: Readonly<Record<string, string>> | undefined;
  /** Another name of `envs`; where both have a variable, that of `envs` applies. */
  env?: Readonly<Record<string, string>> | undefined;
  /** Working directory. Default `/home/sandbox`. */
  cwd?: string | undefined;
  /**
   * Seconds until the command's process group is killed; the result then has
   * `exitCode` -1 and `stderr` ends with `Process timed out`. Absent or 0: 60;
   * at most 86400.
   */
  timeout?: number | undefined;
  /**
   * 1 to 255 visible ASCII characters. The same command with the same key
   * again runs nothing: the call waits for the running one, and for ten minutes
   * after its end gets the same result. Default: a random one, so that the
   * SDK may send the request again when its response was lost.
   */
  idempotencyKey?: string | undefined;
  /** Aborts the call, which then rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/** Options of a command that outlives the call which starts it. */
export interface StartOptions extends Omit<RunOptions, "timeout"> {
  /**
   * Seconds until the command's process group is killed; the exit code is
   * then -1. Absent or 0: never; at most 86400.
   */
  timeout?: number | undefined;
  /**
   * Seconds that the command may run after its last client disconnected.
   * Absent or 0: no limit; at most 86400.
   */
  maxRunAfterDisconnect?: number | undefined;
}

/** The commands of one sandbox. */
export interface Commands {
  /**
   * Runs a command to its end. It also resolves when the command fails: see
   * `exitCode` (128 + n after signal n).
   *
   * A request whose response was lost is sent once more, with its idempotency
   * key: the command runs once. After an abort, or when this program ends, it
   * is killed within five seconds.
   *
   * @throws {OpenComputerError} `command_not_found` and
   * `working_directory_not_found` when it cannot start; `sandbox_not_found`;
   * `idempotency_key_reused` for a key that another command has.
   */
  run(cmd: string, options?: RunOptions): Promise<CommandResult>;
  /**
   * Starts a command and attaches to it: output is delivered as it is written,
   * input can be sent, and the command continues when this client disconnects.
   *
   * @throws {OpenComputerError} as {@link run}; `too_many_requests`.
   */
  start(cmd: string, options?: StartOptions & AttachOptions): Promise<CommandSession>;
  /**
   * Starts a command without attaching to it. {@link attach} accepts its `sessionID`.
   *
   * @throws {OpenComputerError} as {@link start}.
   */
  startDetached(cmd: string, options?: StartOptions): Promise<SessionInfo>;
  /**
   * Attaches to a command, also to one that has ended: the last MiB of its
   * output is replayed.
   *
   * @throws {OpenComputerError} `session_not_found`.
   */
  attach(sessionId: string, options?: AttachOptions): Promise<CommandSession>;
  /**
   * Opens a persistent shell: changes that a command makes to the working
   * directory, variables and functions apply to later commands.
   *
   * @throws {OpenComputerError} as {@link start}; `invalid_request` for a shell that is not bash.
   */
  shell(options?: ShellOptions): Promise<Shell>;
  /**
   * Attaches to a shell again. While it runs a command of another client, this
   * waits for the end of that command.
   *
   * @throws {OpenComputerError} `session_not_found`.
   */
  reattachShell(sessionId: string, options?: CallOptions): Promise<Shell>;
  /** Lists the running commands, and the last of those that have ended. */
  list(options?: CallOptions): Promise<SessionInfo[]>;
  /** Returns one command. @throws {OpenComputerError} `session_not_found`. */
  get(sessionId: string, options?: CallOptions): Promise<SessionInfo>;
  /**
   * Sends a signal, 1–64, to a command's process group. Default 9. One that has ended is no error.
   *
   * @throws {OpenComputerError} `session_not_found`.
   */
  kill(sessionId: string, signal?: number, options?: CallOptions): Promise<void>;
  /**
   * Runs a command in the background. When it ends within 0.4 s, `running` is false
   * and the result complete; otherwise {@link result} returns it by its `execId`.
   *
   * @throws {OpenComputerError} as {@link run}.
   */
  runAsync(cmd: string, options?: RunOptions): Promise<AsyncCommand>;
  /**
   * Returns what a background command has written so far, after waiting at most
   * 0.5 s for its end.
   *
   * @throws {OpenComputerError} `session_not_found`.
   */
  result(execId: string, options?: CallOptions): Promise<CommandProgress>;
}

/** Added to a command's time-out, for the wake of the sandbox and the transfer of the response. */
const answerGraceSeconds = 120;

export function createCommands(connection: Connection, sandboxId: string): Commands {
  const path = apiPath`/sandboxes/${sandboxId}/exec`;
  const at = (signal: AbortSignal | undefined): Connection => ({ ...connection, signal });

  const startDetached: Commands["startDetached"] = async (cmd, options = {}) => {
    const { maxRunAfterDisconnect, signal } = options;
    const value = { ...commandBody(cmd, options), maxRunAfterDisconnect };
    const request: ApiRequest = {
      ...{ method: "POST", path, body: { kind: "json", value } },
      idempotencyKey: keyOf(options),
    };
    return await requestJson(at(signal), request, commandSessionSchema);
  };
  const get: Commands["get"] = async (sessionId, options = {}) =>
    await requestJson(
      at(options.signal),
      { method: "GET", path: path + apiPath`/${sessionId}` },
      commandSessionSchema,
    );

  return {
    async run(cmd, options = {}) {
      const mayRunSeconds = options.timeout || defaults.commandTimeoutSeconds;
      const request: ApiRequest = {
        method: "POST",
        path: `${path}/run`,
        body: { kind: "json", value: commandBody(cmd, options) },
        idempotencyKey: keyOf(options),
        deadlineSeconds: mayRunSeconds + answerGraceSeconds,
      };
      return await requestJson(at(options.signal), request, commandResultSchema);
    },
    startDetached,
    async start(cmd, options = {}) {
      return await attach(connection, await startDetached(cmd, options), options);
    },
    get,
    async attach(sessionId, options = {}) {
      return await attach(connection, await get(sessionId, options), options);
    },
    async shell({ shell = "/bin/bash", ...options } = {}) {
      const { openShell } = await import("./shell.ts");
      const { shellArguments } = await import("./shell-script.ts");
      const info = await startDetached(shell, { ...options, args: shellArguments });
      const { signal } = options;
      return await openShell((handlers) => attach(connection, info, { ...handlers, signal }), true);
    },
    async reattachShell(sessionId, options = {}) {
      const { openShell } = await import("./shell.ts");
      const info = await get(sessionId, options);
      const { signal } = options;
      return await openShell(
        (handlers) => attach(connection, info, { ...handlers, signal }),
        false,
      );
    },
    async list(options = {}) {
      return await requestJson(
        at(options.signal),
        { method: "GET", path },
        commandSessionListSchema,
      );
    },
    async kill(sessionId, signal, options = {}) {
      await requestJson(
        at(options.signal),
        {
          method: "POST",
          path: path + apiPath`/${sessionId}/kill`,
          body: { kind: "json", value: { signal } },
        },
        killedSessionSchema,
      );
    },
    async runAsync(cmd, options = {}) {
      const request: ApiRequest = {
        method: "POST",
        path: `${path}/run-async`,
        body: { kind: "json", value: commandBody(cmd, options) },
        idempotencyKey: keyOf(options),
      };
      return await requestJson(at(options.signal), request, asyncCommandSchema);
    },
    async result(execId, options = {}) {
      return await requestJson(
        at(options.signal),
        { method: "GET", path: path + apiPath`/${execId}/result` },
        commandProgressSchema,
      );
    },
  };
}

/** A random key for each command, which distinguishes a retry from the same command run again. */
function keyOf({ idempotencyKey }: RunOptions): string {
  return idempotencyKey ?? randomHex(16);
}

function commandBody(cmd: string, options: RunOptions) {
  const { args, cwd, timeout, env, envs } = options;
  const both = env === undefined && envs === undefined ? undefined : { ...env, ...envs };
  return { cmd, args, envs: both, cwd, timeout };
}

/** Attaches to a session. WebSockets are loaded on first use: most programs need none. */
async function attach(
  connection: Connection,
  info: SessionInfo,
  options: AttachOptions,
): Promise<CommandSession> {
  const { attachSession } = await import("./attach-session.ts");
  return await attachSession(connection, info, options);
}
