import { execFile } from "node:child_process";
import { hasCode } from "./process-identity.ts";

/** A program ended with a failure; the message carries the end of what it printed. */
export class ProgramError extends Error {
  constructor(program: string, reason: string, output: string, options: { cause: unknown }) {
    const tail = output.trim().slice(-2000);
    super(`${program} failed (${reason})${tail === "" ? "" : `: ${tail}`}`, options);
    this.name = "ProgramError";
  }
}

/**
 * Runs a program to its end and returns its standard output.
 *
 * `input` becomes its standard input. It is killed after `timeoutSeconds`,
 * 60 by default. An error calls it `name`, by default the program's.
 *
 * @throws {ProgramError} when it cannot be started, fails or takes too long.
 */
export function runProgram(
  program: string,
  programArguments: readonly string[],
  options: { input?: string; timeoutSeconds?: number; name?: string } = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      program,
      programArguments,
      {
        timeout: (options.timeoutSeconds ?? 60) * 1000,
        killSignal: "SIGKILL",
        maxBuffer: 16 * 1024 * 1024,
      },
      (error, stdout, stderr) => {
        if (error === null) return resolve(stdout);
        const reason =
          error.killed === true
            ? `killed after ${options.timeoutSeconds ?? 60} seconds`
            : `exit ${error.code ?? error.signal ?? "unknown"}`;
        const name = options.name ?? program;
        reject(new ProgramError(name, reason, stderr === "" ? stdout : stderr, { cause: error }));
      },
    );
    child.stdin?.on("error", (error) => {
      // A program that ends before it has read its input closes the pipe: its exit code shows why.
      if (!hasCode(error, "EPIPE")) reject(error);
    });
    child.stdin?.end(options.input ?? "");
  });
}
