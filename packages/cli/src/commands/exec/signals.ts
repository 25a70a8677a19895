import { InvalidArgumentError } from "commander";

/** Numbers of the common signals in the sandbox, which runs Linux (signal(7)). */
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

/** Parses a signal: its number, or its name with or without `SIG`. */
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

/** Exit code of `timeout` (GNU coreutils) for a command that timed out. */
export const timedOutExitCode = 124;
/** Exit code of a shell for a program that SIGINT ended. */
export const interruptedExitCode = 130;

/** The exit code of `oc` for that of a command. */
export function toExitCode(exitCode: number): number {
  return exitCode === -1 ? timedOutExitCode : exitCode;
}
