import { type CommandResult, commandResultSchema, defaults } from "@opencomputer/protocol";
import type { Connection } from "../connection.ts";
import { type ApiRequest, apiPath } from "../request/api-request.ts";
import { requestJson } from "../request/send-request.ts";

export interface RunOptions {
  /**
   * Arguments. With them `cmd` is a program and nothing is interpreted;
   * without them `cmd` is a script for the sandbox's shell.
   */
  args?: readonly string[] | undefined;
  /** Variables of this command; they win over the sandbox's. */
  envs?: Readonly<Record<string, string>> | undefined;
  /** Another name of `envs`; where both have a variable, `envs` wins. */
  env?: Readonly<Record<string, string>> | undefined;
  /** Working directory. Default `/home/sandbox`. */
  cwd?: string | undefined;
  /**
   * Seconds until the command's process group is killed; the result then has
   * `exitCode` -1 and `stderr` ends with `Process timed out`. Absent or 0: 60;
   * at most 86400.
   */
  timeout?: number | undefined;
  /** Aborts the call, which then rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/** The commands of one sandbox. */
export interface Commands {
  /**
   * Runs a command to its end. A command that fails is a result like any
   * other: look at `exitCode` (128 + n after signal n).
   *
   * It is never sent twice, because it may have run although its answer was
   * lost.
   *
   * @throws {OpenComputerError} `command_not_found` and
   * `working_directory_not_found` when it cannot start; `sandbox_not_found`.
   */
  run(cmd: string, options?: RunOptions): Promise<CommandResult>;
}

/** Beyond a command's own time-out: for a wake of the sandbox, and for the answer's way. */
const answerGraceSeconds = 120;

export function createCommands(connection: Connection, sandboxId: string): Commands {
  const path = apiPath`/sandboxes/${sandboxId}/exec/run`;
  return {
    async run(cmd, options = {}) {
      const { args, cwd, timeout, signal } = options;
      const envs =
        options.env === undefined && options.envs === undefined
          ? undefined
          : { ...options.env, ...options.envs };
      const mayRunSeconds = timeout || defaults.commandTimeoutSeconds;
      const request: ApiRequest = {
        method: "POST",
        path,
        body: { kind: "json", value: { cmd, args, envs, cwd, timeout } },
        deadlineSeconds: mayRunSeconds + answerGraceSeconds,
      };
      return await requestJson({ ...connection, signal }, request, commandResultSchema);
    },
  };
}
