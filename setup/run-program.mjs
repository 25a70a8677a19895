// @ts-check
import { spawn } from "node:child_process";
import process from "node:process";
import { SetupError } from "./setup-error.mjs";

const outputLinesKept = 30;

/**
 * Runs a program to its end. Its output is kept back and shown only when it
 * fails; `onLine` sees each line as it comes.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv, onLine?: (line: string) => void }} [options]
 * @returns {Promise<string>} the standard output
 */
export function runProgram(command, args, { cwd, env = process.env, onLine } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
    let stdout = "";
    /** @type {string[]} */
    const lastLines = [];
    const collect = (/** @type {string} */ text) => {
      for (const line of text.split("\n").filter((part) => part.trim() !== "")) {
        lastLines.push(line);
        if (lastLines.length > outputLinesKept) lastLines.shift();
        onLine?.(line);
      }
    };
    child.stdout.setEncoding("utf8").on("data", (text) => {
      stdout += text;
      collect(text);
    });
    child.stderr.setEncoding("utf8").on("data", collect);
    child.once("error", (error) =>
      reject(new SetupError(`${command} could not be started: ${error.message}`, { cause: error })),
    );
    child.once("close", (code, signal) => {
      if (code === 0) return resolve(stdout);
      const ending = signal === null ? `exit code ${code}` : `signal ${signal}`;
      reject(
        new SetupError(
          `\`${[command, ...args].join(" ").slice(0, 300)}\` ended with ${ending}; its last lines:\n${lastLines.map((line) => `    ${line}`).join("\n")}`,
        ),
      );
    });
  });
}

/**
 * Runs a program in the background, and returns its exit code and what it
 * printed, for output that is not to mix with that of others.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv }} [options]
 * @returns {Promise<{ exitCode: number, output: string }>}
 */
export function runInBackground(command, args, { cwd, env = process.env } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text) => {
        output += text;
      });
    }
    child.once("error", reject);
    child.once("close", (code) => resolve({ exitCode: code ?? 1, output }));
  });
}

/**
 * Runs a program in the foreground with this terminal, passing signals on,
 * and returns its exit code.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {{ cwd?: string, env?: NodeJS.ProcessEnv }} [options]
 * @returns {Promise<number>}
 */
export function runForeground(command, args, { cwd, env = process.env } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env, stdio: "inherit" });
    const forward = (/** @type {NodeJS.Signals} */ signal) => child.kill(signal);
    /** @type {NodeJS.Signals[]} */
    const forwarded = ["SIGTERM", "SIGHUP"];
    for (const signal of forwarded) process.on(signal, forward);
    // The terminal sends SIGINT to the child as well: this process only outlives it.
    process.on("SIGINT", () => undefined);
    child.once("error", reject);
    child.once("close", (code, signal) => resolve(signal === null ? (code ?? 1) : 130));
  });
}
