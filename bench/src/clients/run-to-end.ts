import { execFile } from "node:child_process";

/** Runs a program to its end; rejects with its output if it fails. */
export function runToEnd(
  program: string,
  programArguments: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(program, [...programArguments], options, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`${program} failed: ${stderr || error.message}`, { cause: error }));
    });
  });
}
