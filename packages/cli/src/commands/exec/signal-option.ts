import { InvalidArgumentError } from "commander";

/** The usual signals of Linux (signal(7)); the sandbox runs Linux wherever `oc` does. */
const signalNumbers: Readonly<Record<string, number>> = {
  HUP: 1,
  INT: 2,
  QUIT: 3,
  KILL: 9,
  USR1: 10,
  USR2: 12,
  PIPE: 13,
  TERM: 15,
  CONT: 18,
  STOP: 19,
};
const signalMax = 64;

/** A signal by its number or its name, with or without `SIG`. */
export function signalNumber(text: string): number {
  const number = /^\d+$/.test(text)
    ? Number(text)
    : signalNumbers[text.toUpperCase().replace(/^SIG/, "")];
  if (number === undefined || number < 1 || number > signalMax) {
    throw new InvalidArgumentError(
      `Expected a number from 1 to ${signalMax}, or one of ${Object.keys(signalNumbers).join(", ")}.`,
    );
  }
  return number;
}
