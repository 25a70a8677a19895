import { type Command, Option } from "commander";
import { z } from "zod";

export interface CommandText {
  summary: string;
  /** Shown by `--help`, one command line each. */
  examples: readonly string[];
}

/** Adds a command with a summary and examples for its `--help`. */
export function defineCommand(parent: Command, usage: string, text: CommandText): Command {
  const examples = text.examples.map((line) => `  $ ${line}`).join("\n");
  return parent
    .command(usage)
    .description(text.summary)
    .addHelpText("after", `\nExamples:\n${examples}`);
}

/** Adds a command that only holds others. */
export function defineGroup(parent: Command, name: string, text: CommandText): Command {
  return defineCommand(parent, name, text).enablePositionalOptions();
}

const globalHeading = "Options of every command:";

/** The flag that shows help, to be set before commands are added. */
export function helpOption(): Option {
  return new Option("-h, --help", "show this help").helpGroup(globalHeading);
}

/** Gives a command and all below it the flags that stand anywhere on the line. */
export function addGlobalOptions(command: Command): void {
  command
    .addOption(new Option("--json", "print JSON, errors too").helpGroup(globalHeading))
    .addOption(
      new Option("--api-key <key>", "instead of OPENCOMPUTER_API_KEY").helpGroup(globalHeading),
    )
    .addOption(
      new Option("--api-url <url>", "instead of OPENCOMPUTER_API_URL").helpGroup(globalHeading),
    );
  for (const child of command.commands) addGlobalOptions(child);
}

export const globalOptionsSchema = z.object({
  json: z.boolean().default(false),
  apiKey: z.string().optional(),
  apiUrl: z.string().optional(),
});

/** The flags of a command and of those above it, in the shape the command expects. */
export function readOptions<Schema extends z.ZodType>(
  command: Command,
  schema: Schema,
): z.output<Schema> {
  return schema.parse(command.optsWithGlobals());
}
