import { Argument, type Command } from "commander";
import { defineCommand } from "../../arguments/define-command.ts";
import type { CliContext } from "../../cli-context.ts";
import { openInvocation } from "../../invocation.ts";
import { bashCompletion } from "./bash-completion.ts";
import { listCommandLevels } from "./command-levels.ts";
import { fishCompletion } from "./fish-completion.ts";
import { zshCompletion } from "./zsh-completion.ts";

const shells = ["bash", "zsh", "fish"] as const;
const scripts = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion };

/** Adds `oc completion`, which prints the script with which a shell completes command lines. */
export function addCompletion(program: Command, context: CliContext): void {
  defineCommand(program, "completion", {
    summary: "Print the completion script of a shell",
    examples: [
      "source <(oc completion bash)       # in ~/.bashrc",
      "source <(oc completion zsh)        # in ~/.zshrc",
      "oc completion fish | source        # in ~/.config/fish/config.fish",
    ],
  })
    .addArgument(new Argument("<shell>", "which shell").choices(shells))
    .action((shell: (typeof shells)[number], _options: unknown, command: Command) => {
      const script = scripts[shell](listCommandLevels(program));
      openInvocation(context, command).print(script, { shell, script });
    });
}
