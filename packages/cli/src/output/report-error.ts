import type { Writable } from "node:stream";
import { OpenComputerError } from "@opencomputer/sdk";
import { CommanderError } from "commander";
import { CliError } from "../cli-context.ts";
import { printableJson, printableLines } from "./format.ts";

/**
 * Writes an error as text, with the command or setting that helps in a line of
 * its own, or as `{"error","code","remediation"}` with `--json`; returns the exit code.
 */
export function reportError(stderr: Writable, error: unknown, asJson: boolean): number {
  const { message, code, remediation } = describe(error);
  stderr.write(
    asJson
      ? `${printableJson({ error: message, code, remediation })}\n`
      : // It may quote what a sandbox printed.
        `error: ${printableLines(message)}\n${remediation === undefined ? "" : `try: ${printableLines(remediation)}\n`}`,
  );
  return exitCodeOf(error);
}

/** The exit code of an error: 1 if it is local, 4 for a 409, 3 for another 4xx, 5 for a 5xx. */
export function exitCodeOf(error: unknown): number {
  const status = error instanceof OpenComputerError ? error.status : undefined;
  if (status === undefined) return 1;
  if (status === 409) return 4;
  if (status >= 500) return 5;
  return status >= 400 ? 3 : 1;
}

function describe(error: unknown): {
  message: string;
  code: string;
  remediation?: string | undefined;
} {
  if (error instanceof OpenComputerError || error instanceof CliError) return error;
  if (error instanceof CommanderError) {
    return { message: error.message.replace(/^error: /, ""), code: "invalid_usage" };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { message: `oc failed unexpectedly: ${message}`, code: "internal_error" };
}
