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

/** Adds a command that only groups subcommands. */
export function defineGroup(parent: Command, name: string, text: CommandText): Command {
  return defineCommand(parent, name, text).enablePositionalOptions();
}

const globalHeading = "Global options:";

/** The help option. Set it before subcommands are added, because they copy it. */
export function helpOption(): Option {
  return new Option("-h, --help", "show this help").helpGroup(globalHeading);
}

/** Adds the global options to a command and its subcommands, so that they are accepted anywhere. */
export function addGlobalOptions(command: Command): void {
  command
    .addOption(new Option("--json", "print results and errors as JSON").helpGroup(globalHeading))
    .addOption(
      new Option(
        "--api-key <key>",
        "API key (default: OPENCOMPUTER_API_KEY, or what `oc config set` saved)",
      ).helpGroup(globalHeading),
    )
    .addOption(
      new Option(
        "--api-url <url>",
        "URL of the service (default: OPENCOMPUTER_API_URL, what `oc config set` saved, or http://127.0.0.1:8080)",
      ).helpGroup(globalHeading),
    );
  for (const child of command.commands) addGlobalOptions(child);
}

export const globalOptionsSchema = z.object({
  json: z.boolean().default(false),
  apiKey: z.string().optional(),
  apiUrl: z.string().optional(),
});

/** Parses the options of a command and its parents by the schema of the command. */
export function readOptions<Schema extends z.ZodType>(
  command: Command,
  schema: Schema,
): z.output<Schema> {
  return schema.parse(command.optsWithGlobals());
}
