import type { Writable } from "node:stream";
import { OpenComputerError } from "@opencomputer/sdk";
import { CommanderError } from "commander";
import { CliError } from "../cli-error.ts";

/** Writes an error for people, or as `{"error","code"}` for programs; returns the exit code. */
export function reportError(stderr: Writable, error: unknown, asJson: boolean): number {
  const { message, code } = describe(error);
  stderr.write(asJson ? `${JSON.stringify({ error: message, code })}\n` : `error: ${message}\n`);
  return exitCodeOf(error);
}

/** 1 local, 3 a 4xx, 4 a 409, 5 a 5xx. */
export function exitCodeOf(error: unknown): number {
  const status = error instanceof OpenComputerError ? error.status : undefined;
  if (status === undefined) return 1;
  if (status === 409) return 4;
  if (status >= 500) return 5;
  return status >= 400 ? 3 : 1;
}

function describe(error: unknown): { message: string; code: string } {
  if (error instanceof OpenComputerError || error instanceof CliError) return error;
  if (error instanceof CommanderError) {
    return { message: error.message.replace(/^error: /, ""), code: "invalid_usage" };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { message: `oc failed unexpectedly: ${message}`, code: "internal_error" };
}
