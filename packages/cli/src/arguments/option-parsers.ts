import { environmentNamePattern } from "@opencomputer/sdk";
import { InvalidArgumentError } from "commander";

/** A whole number of at least 0. */
export function wholeNumber(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) {
    throw new InvalidArgumentError("Expected a whole number.");
  }
  return value;
}

/** Seconds of at least 0, parts of one allowed. */
export function seconds(text: string): number {
  if (!/^\d+(\.\d+)?$/.test(text)) throw new InvalidArgumentError("Expected a number of seconds.");
  return Number(text);
}

/** Each use of the flag adds one entry, which is taken as it is: commas do not split it. */
export function collect(text: string, earlier: string[] | undefined): string[] {
  return [...(earlier ?? []), text];
}

/** Each use of the flag adds one `KEY=VALUE`; the value may hold further `=`. */
export function collectPairs(
  text: string,
  earlier: Record<string, string> | undefined,
): Record<string, string> {
  const end = text.indexOf("=");
  if (end < 1) throw new InvalidArgumentError("Expected KEY=VALUE.");
  return { ...earlier, [text.slice(0, end)]: text.slice(end + 1) };
}

/** As {@link collectPairs}, for names that a shell can export. */
export function collectVariables(
  text: string,
  earlier: Record<string, string> | undefined,
): Record<string, string> {
  const name = text.split("=", 1)[0] ?? "";
  if (!environmentNamePattern.test(name)) {
    throw new InvalidArgumentError("Expected NAME=VALUE with a name of letters, digits and _.");
  }
  return collectPairs(text, earlier);
}
