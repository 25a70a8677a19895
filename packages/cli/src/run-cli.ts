import { CommanderError } from "commander";
import type { CliContext } from "./cli-context.ts";
import { chooseLoaders } from "./commands/command-loaders.ts";
import { createProgram } from "./create-program.ts";
import { reportError } from "./output/report-error.ts";

/** Runs one command line and returns its exit code. Never throws. */
export async function runCli(words: readonly string[], context: CliContext): Promise<number> {
  let exitCode = 0;
  let usageText = "";
  const outcome = {
    onExitCode(code: number) {
      exitCode = code;
    },
    onUsageText(text: string) {
      usageText += text;
    },
  };
  try {
    const program = await createProgram(context, outcome, chooseLoaders(words));
    await program.parseAsync(words, { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    if (error instanceof CommanderError && error.code === "commander.help") {
      context.stderr.write(usageText);
      return 1;
    }
    return reportError(context.stderr, error, asksForJson(words));
  }
}

/** Searches the words themselves, because commander may have refused them. */
function asksForJson(words: readonly string[]): boolean {
  const end = words.indexOf("--");
  return words.slice(0, end === -1 ? undefined : end).includes("--json");
}
