import { defaults, Sandbox } from "@opencomputer/sdk";
import type { Command } from "commander";
import { z } from "zod";
import { defineCommand, readOptions } from "../../arguments/define-command.ts";
import { collectVariables, seconds } from "../../arguments/option-parsers.ts";
import type { CliContext } from "../../cli-context.ts";
import { openInvocation } from "../../invocation.ts";
import { shellCommand } from "./shell-command.ts";

const optionsSchema = z.object({
  cwd: z.string().optional(),
  env: z.record(z.string(), z.string()).optional(),
  timeout: z.number().optional(),
});

/** As `timeout` of GNU coreutils ends when the time is over. */
const timedOutExitCode = 124;

/**
 * Adds `oc exec`. It ends with the command's exit code, which it keeps in
 * `onExitCode`.
 */
export function addExec(
  parent: Command,
  context: CliContext,
  onExitCode: (exitCode: number) => void,
): void {
  defineCommand(parent, "exec <id> <command...>", {
    summary: "Run a command in a sandbox and end with its exit code",
    examples: [
      "oc exec sb-abc123 -- 'cd /workspace && npm test | tail'    # one argument: a shell script",
      "oc exec sb-abc123 -- ls -la /workspace                     # several: a program and its arguments",
      "oc exec sb-abc123 -- echo '$ANTHROPIC_API_KEY'             # $NAME is expanded inside the sandbox",
      "oc exec sb-abc123 --cwd /workspace --env CI=1 --timeout 900 -- npm test",
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
      `end the command after this time, with exit code ${timedOutExitCode} (default: ${defaults.commandTimeoutSeconds})`,
      seconds,
    )
    .option("--wait", "wait for the command to end (always done)")
    .action(async (id: string, words: string[], _options: unknown, command: Command) => {
      const invocation = openInvocation(context, command);
      const options = readOptions(command, optionsSchema);
      const finding = Sandbox.connect(id, await invocation.connection());
      const sandbox = await invocation.progress("Finding the sandbox", finding);
      const running = sandbox.exec.run(shellCommand(words), {
        cwd: options.cwd,
        envs: options.env,
        timeout: options.timeout,
      });
      const result = await invocation.progress("Running", running);
      if (invocation.json) {
        invocation.print("", result);
      } else {
        context.stdout.write(result.stdout);
        context.stderr.write(result.stderr);
        if (result.exitCode === -1) context.stderr.write("\n");
      }
      if (result.truncated === true) {
        invocation.warn("the output was longer than the service keeps: its end is missing");
      }
      onExitCode(result.exitCode === -1 ? timedOutExitCode : result.exitCode);
    });
}
