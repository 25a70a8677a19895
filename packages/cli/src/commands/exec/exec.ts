import { limits, Sandbox } from "@opencomputer/sdk";
import type { Command } from "commander";
import { z } from "zod";
import { defineCommand, readOptions } from "../../arguments/define-command.ts";
import { collectVariables, seconds } from "../../arguments/option-parsers.ts";
import type { CliContext } from "../../cli-context.ts";
import { type Invocation, openInvocation } from "../../invocation.ts";
import { addSessionCommands } from "./session-commands.ts";
import { shellCommand } from "./shell-command.ts";
import { interruptedExitCode, signalNumber, timedOutExitCode, toExitCode } from "./signals.ts";
import { type OnInterrupt, streamSession } from "./stream-session.ts";

const optionsSchema = z.object({
  cwd: z.string().optional(),
  env: z.record(z.string(), z.string()).optional(),
  timeout: z.number().optional(),
  idempotencyKey: z.string().optional(),
  detach: z.boolean().default(false),
});
type ExecOptions = z.output<typeof optionsSchema>;

/**
 * Adds `oc exec`, which passes the command's exit code to `onExitCode`.
 */
export function addExec(
  parent: Command,
  context: CliContext,
  onExitCode: (exitCode: number) => void,
): void {
  const exec = defineCommand(parent, "exec <sandbox-id> <command...>", {
    summary: "Run a command in a sandbox and exit with its exit code",
    examples: [
      "oc exec sb-abc123 -- 'cd /workspace && npm test | tail'    # one argument: a shell script",
      "oc exec sb-abc123 -- ls -la /workspace                     # several: a program and its arguments",
      "oc exec sb-abc123 -- echo '$ANTHROPIC_API_KEY'             # $NAME is expanded inside the sandbox",
      "oc exec sb-abc123 --cwd /workspace --env CI=1 --timeout 900 -- npm test",
      "oc exec sb-abc123 -- tar -xz < files.tar.gz                # stdin is forwarded unless it is a terminal",
      "oc exec sb-abc123 --detach -- npm start                    # prints a session id: see oc exec attach",
    ],
  })
    .option("--cwd <path>", "working directory (default: /home/sandbox)")
    .option(
      "--env <NAME=VALUE>",
      "environment variable of the command (repeatable)",
      collectVariables,
    )
    .option(
      "--timeout <seconds>",
      `end the command after this time and exit with ${timedOutExitCode} (default: no limit)`,
      seconds,
    )
    .option(
      "--idempotency-key <key>",
      "run the command only once, even if it is sent again with the same key",
    )
    .option("--detach", "do not wait: print the id of a session to attach to")
    .option("--wait", "wait for the command to end (the default)")
    .action(async (id: string, words: string[], _options: unknown, command: Command) => {
      const invocation = openInvocation(context, command);
      const options = readOptions(command, optionsSchema);
      const connecting = Sandbox.connect(id, await invocation.connection());
      const sandbox = await invocation.progress("Connecting", connecting);
      const run = { sandbox, invocation, options, script: shellCommand(words) };
      if (options.detach) await startDetached(run);
      else if (invocation.json) onExitCode(await printResult(run));
      else onExitCode(await stream(context, run));
    });
  addSessionCommands(exec, context, onExitCode);
}

interface Run {
  sandbox: Sandbox;
  invocation: Invocation;
  options: ExecOptions;
  script: string;
}

async function startDetached({ sandbox, invocation, options, script }: Run): Promise<void> {
  const { cwd, env, timeout, idempotencyKey } = options;
  const command = { cwd, env, timeout, idempotencyKey };
  const starting = sandbox.exec.startDetached(script, command);
  const session = await invocation.progress("Starting", starting);
  invocation.print(session.sessionID, session);
}

/** With `--json`: the whole result at the end. */
async function printResult({ sandbox, invocation, options, script }: Run): Promise<number> {
  const { cwd, env, idempotencyKey } = options;
  const timeout = options.timeout || limits.commandTimeoutSecondsMax;
  const result = await sandbox.exec.run(script, { cwd, env, timeout, idempotencyKey });
  invocation.print("", result);
  if (result.truncated === true) {
    invocation.warn("the output exceeded the limit of the service: its end is missing");
  }
  return toExitCode(result.exitCode);
}

async function stream(
  context: CliContext,
  { sandbox, invocation, options, script }: Run,
): Promise<number> {
  const { cwd, env, timeout, idempotencyKey } = options;
  const command = { cwd, env, timeout, idempotencyKey };
  const end = await streamSession(
    context,
    (attach) => {
      const starting = sandbox.exec.start(script, { ...command, ...attach });
      return invocation.progress("Starting", starting);
    },
    { input: "whole", onInterrupt: forwardInterrupt },
  );
  if (end.kind === "detached") return interruptedExitCode;
  if (end.exitCode === -1) context.stderr.write("\n");
  return toExitCode(end.exitCode);
}

/** Forwards the first interrupt, kills the command at the second, and detaches at the third. */
const forwardInterrupt: OnInterrupt = (session, name, count) => {
  if (count > 2) return "detach";
  // The signal fails if the command has ended, which the wait reports.
  session.kill(signalNumber(count === 1 ? name : "KILL")).catch(() => undefined);
  return "wait";
};
