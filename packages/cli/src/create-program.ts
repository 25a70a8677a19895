import { Command, Help } from "commander";
import { addGlobalOptions, helpOption } from "./arguments/define-command.ts";
import type { CliContext } from "./cli-context.ts";
import { type CommandLoader, commandLoaders } from "./commands/command-loaders.ts";

export interface ProgramOutcome {
  /** Receives the exit code of a command that ran in a sandbox. */
  onExitCode(exitCode: number): void;
  /** Receives commander's message about a malformed command line. */
  onUsageText(text: string): void;
}

/** Creates the program with all commands, or only with those of `loaders`. */
export async function createProgram(
  context: CliContext,
  outcome: ProgramOutcome,
  loaders: readonly CommandLoader[] = commandLoaders,
): Promise<Command> {
  const program = new Command("oc")
    .description("Sandboxes that use secrets they never see")
    .version(context.version, "-V, --version", "print the version")
    .addHelpOption(helpOption())
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void context.stdout.write(text),
      writeErr: outcome.onUsageText,
    })
    .enablePositionalOptions()
    .configureHelp({
      optionDescription(option) {
        const text = Help.prototype.optionDescription.call(this, option);
        return option.mandatory ? `${text} (required)` : text;
      },
    })
    .addHelpText(
      "after",
      [
        "\nExamples:",
        "  $ oc secret-store create --name my-agent-secrets --egress-allowlist api.anthropic.com",
        "  $ oc secret set <store-id> ANTHROPIC_API_KEY --from-stdin < key-file",
        "  $ oc create --secret-store my-agent-secrets",
        "  $ oc exec <sandbox-id> -- echo '$ANTHROPIC_API_KEY'",
        "\nExit codes: 0 success, 1 local error, 3 request refused (4xx), 4 conflict (409), 5 service error (5xx);",
        "`oc exec` and `oc shell` exit with the exit code of the command or the shell.",
      ].join("\n"),
    );
  for (const { load } of loaders) {
    const add = await load();
    add(program, context, outcome.onExitCode);
  }
  addGlobalOptions(program);
  return program;
}
