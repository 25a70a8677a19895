import type { Command } from "commander";

/** A word that is valid at a place of the command line, with its summary. */
export interface CompletionWord {
  word: string;
  summary: string;
}

export interface CompletionOption {
  /** `--env`, or `-h` and `--help`. */
  names: readonly string[];
  summary: string;
  /** Its value; undefined for a flag. */
  value: OptionValue | undefined;
}

/** Only choices and local files can be completed. */
export interface OptionValue {
  choices: readonly string[];
  isFile: boolean;
}

/** A place in the tree of commands, with the words and options that are valid there. */
export interface CommandLevel {
  /** Words that lead to it, such as `oc sandbox create`. */
  place: string;
  /** Its subcommands and the choices of its first argument. */
  words: readonly CompletionWord[];
  options: readonly CompletionOption[];
}

/** Lists the places of a command tree under each name and alias, parents first. */
export function listCommandLevels(command: Command, place = command.name()): CommandLevel[] {
  const below = command.commands.flatMap((child) =>
    namesOf(child).map((name) => ({ child, name, summary: child.description() })),
  );
  const [argument] = command.registeredArguments;
  const choices = argument?.argChoices ?? [];
  const level = {
    place,
    words: [
      ...below.map(({ name, summary }) => ({ word: name, summary })),
      ...choices.map((word) => ({ word, summary: argument?.description ?? "" })),
    ],
    options: command
      .createHelp()
      .visibleOptions(command)
      .map((option) => ({
        names: [option.short, option.long].filter((name) => name !== undefined),
        summary: option.description,
        value:
          option.required || option.optional
            ? { choices: option.argChoices ?? [], isFile: /[<[]file\b/.test(option.flags) }
            : undefined,
      })),
  };
  return [
    level,
    ...below.flatMap(({ child, name }) => listCommandLevels(child, `${place} ${name}`)),
  ];
}

function namesOf(command: Command): string[] {
  return [command.name(), ...command.aliases()];
}

/** Lists the options that take a value, each with its place, such as `oc ls --status`. */
export function listValuedOptions(
  levels: readonly CommandLevel[],
): { placeAndOption: string; value: OptionValue }[] {
  return levels.flatMap(({ place, options }) =>
    options.flatMap(({ names, value }) =>
      value === undefined
        ? []
        : names.map((name) => ({ placeAndOption: `${place} ${name}`, value })),
    ),
  );
}
