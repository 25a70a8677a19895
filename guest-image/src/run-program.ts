import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

const linesKept = 40;

/** Thrown when a program cannot be started or fails; the message has the end of its output. */
export class ProgramError extends Error {
  constructor(command: readonly string[], reason: string, lastLines: readonly string[]) {
    const tail = lastLines.length === 0 ? "" : `:\n  ${lastLines.join("\n  ")}`;
    super(`${command.join(" ").slice(0, 200)} ${reason}${tail}`);
    this.name = "ProgramError";
  }
}

/**
 * Runs a program to its end and returns its standard output. Each line of it
 * and of standard error is also passed to `onLine` as it arrives.
 *
 * @throws {ProgramError} when it cannot be started or its exit code is not 0.
 */
export async function runProgram(
  command: readonly [string, ...string[]],
  options: {
    cwd?: string;
    environment?: Record<string, string>;
    onLine?: (line: string) => void;
  } = {},
): Promise<string> {
  const [program, ...programArguments] = command;
  const child = spawn(program, programArguments, {
    cwd: options.cwd,
    env: { ...process.env, ...options.environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output: string[] = [];
  const lastLines: string[] = [];
  const record = (line: string): void => {
    lastLines.push(line);
    if (lastLines.length > linesKept) lastLines.shift();
    options.onLine?.(line);
  };
  const readers = [
    readLines(child.stdout, (line) => {
      output.push(line);
      record(line);
    }),
    readLines(child.stderr, record),
  ];
  const reason = await new Promise<string | undefined>((resolve) => {
    child.once("error", (error) => resolve(`cannot be started: ${error.message}`));
    child.once("close", (code, signal) => {
      if (code === 0) resolve(undefined);
      else resolve(signal === null ? `failed with exit code ${code}` : `was ended by ${signal}`);
    });
  });
  await Promise.all(readers);
  if (reason !== undefined) throw new ProgramError(command, reason, lastLines);
  return output.join("\n");
}

async function readLines(
  stream: NodeJS.ReadableStream,
  onLine: (line: string) => void,
): Promise<void> {
  for await (const line of createInterface({ input: stream })) onLine(line);
}
