import { environmentNamePattern } from "@opencomputer/sdk";
import { InvalidArgumentError, Option } from "commander";

/** Parses a whole number of at least 0. */
export function wholeNumber(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) {
    throw new InvalidArgumentError("Expected a whole number.");
  }
  return value;
}

/** Parses a number of seconds of at least 0, with or without decimals. */
export function seconds(text: string): number {
  if (!/^\d+(\.\d+)?$/.test(text)) throw new InvalidArgumentError("Expected a number of seconds.");
  return Number(text);
}

/** Collects the values of a repeatable option. A comma does not separate values. */
export function collect(text: string, earlier: string[] | undefined): string[] {
  return [...(earlier ?? []), text];
}

/** Collects the `KEY=VALUE` pairs of a repeatable option. The value may contain `=`. */
export function collectPairs(
  text: string,
  earlier: Record<string, string> | undefined,
): Record<string, string> {
  const end = text.indexOf("=");
  if (end < 1) throw new InvalidArgumentError("Expected KEY=VALUE.");
  return { ...earlier, [text.slice(0, end)]: text.slice(end + 1) };
}

/** Collects the `NAME=VALUE` pairs of a repeatable option, with names that a shell can export. */
export function collectVariables(
  text: string,
  earlier: Record<string, string> | undefined,
): Record<string, string> {
  const name = text.split("=", 1)[0] ?? "";
  if (!environmentNamePattern.test(name)) {
    throw new InvalidArgumentError(
      "Expected NAME=VALUE, with a name of letters, digits and underscores.",
    );
  }
  return collectPairs(text, earlier);
}

export const idleRules = ["requests", "cpu"] as const;

/** The `--idle` option of commands that create a sandbox. */
export function createIdleOption(defaultText: string): Option {
  const text = `what keeps the sandbox awake: requests alone, or "cpu" for requests and CPU use (default: ${defaultText})`;
  return new Option("--idle <rule>", text).choices(idleRules);
}
