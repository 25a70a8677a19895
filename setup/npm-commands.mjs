// @ts-check
import { join } from "node:path";
import { parseArgs } from "node:util";
import { projectDirectory } from "./project-steps.mjs";
import { SetupError } from "./setup-error.mjs";

/** Node strips the types itself; the condition finds the source of the other packages. */
const fromSource = "--conditions=source";
/** Node keeps the code of the many processes that import the same TypeScript. */
const compiledOnce = { NODE_COMPILE_CACHE: join(projectDirectory, ".cache/compiled") };
/** For tests that take hours by intent. */
const aDayPerFile = { OPENCOMPUTER_TEST_FILE_MINUTES: "1440" };

/**
 * The commands of package.json. Each names what has to be installed before it
 * runs, the defaults of its settings, and the options that set them.
 *
 * @type {Record<string, { purpose: "check" | "docs" | "host" | "test", program: string[], settings?: Record<string, string>, options?: Record<string, string> }>}
 */
const commands = {
  quickstart: { purpose: "host", program: ["quickstart/dist/main.js"] },
  serve: { purpose: "host", program: ["packages/standalone/dist/program/main.js"] },
  dev: {
    purpose: "host",
    // The supervisor restarts with its own files, and watches those of its processes.
    program: ["--watch", "--watch-preserve-output", fromSource, "packages/standalone/src/main.ts"],
  },
  "rotate-key": { purpose: "host", program: ["packages/control-plane/dist/rotate-key.js"] },
  backup: { purpose: "host", program: ["packages/standalone/dist/backup/main.js", "backup"] },
  restore: { purpose: "host", program: ["packages/standalone/dist/backup/main.js", "restore"] },
  bench: { purpose: "host", program: ["bench/dist/main.js"] },
  test: {
    purpose: "test",
    program: [fromSource, "setup/test/main.mjs"],
    settings: compiledOnce,
  },
  "test:coverage": {
    purpose: "test",
    program: [fromSource, "--disable-warning=ExperimentalWarning", "setup/test/coverage.mjs"],
  },
  "test:full": {
    purpose: "test",
    program: [fromSource, "setup/test/main.mjs"],
    settings: {
      ...compiledOnce,
      ...aDayPerFile,
      OPENCOMPUTER_TEST_FULL: "1",
      OPENCOMPUTER_CHAOS_ROUNDS: "300",
      OPENCOMPUTER_SOAK_HOURS: "1",
    },
  },
  "test:chaos": {
    purpose: "test",
    program: [fromSource, "setup/test/main.mjs", "e2e", "e2e/chaos.test.ts", "saved-state-secrets"],
    settings: { ...aDayPerFile, OPENCOMPUTER_CHAOS_ROUNDS: "300" },
    options: { rounds: "OPENCOMPUTER_CHAOS_ROUNDS", seed: "OPENCOMPUTER_CHAOS_SEED" },
  },
  "test:soak": {
    purpose: "test",
    program: [fromSource, "setup/test/main.mjs", "e2e", "e2e/soak.test.ts"],
    settings: { ...aDayPerFile, OPENCOMPUTER_TEST_FULL: "1", OPENCOMPUTER_SOAK_HOURS: "1" },
    options: { hours: "OPENCOMPUTER_SOAK_HOURS", interval: "OPENCOMPUTER_SOAK_INTERVAL_SECONDS" },
  },
  check: { purpose: "check", program: ["setup/check.mjs"] },
  docs: { purpose: "docs", program: ["setup/docs/main.mjs"] },
};

/**
 * Separates the options that are settings of a command from its other words.
 *
 * @param {Record<string, string>} options
 * @param {string[]} commandArguments
 */
export function readOptions(options, commandArguments) {
  if (Object.keys(options).length === 0) return { settings: {}, words: commandArguments };
  try {
    const { values, positionals } = parseArgs({
      args: commandArguments,
      options: Object.fromEntries(Object.keys(options).map((key) => [key, { type: "string" }])),
      allowPositionals: true,
    });
    const settings = Object.entries(options).flatMap(([key, setting]) =>
      typeof values[key] === "string" ? [[setting, values[key]]] : [],
    );
    return { settings: Object.fromEntries(settings), words: positionals };
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    const known = Object.keys(options).map((key) => `--${key}`);
    throw new SetupError(`${error.message.split(". ")[0]}. Options: ${known.join(", ")}.`);
  }
}

/**
 * @param {string} name
 * @throws {SetupError} for a name that is not one of the commands
 */
export function commandNamed(name) {
  const command = commands[name];
  if (command === undefined) {
    throw new SetupError(
      `Unknown command ${JSON.stringify(name)}: expected ${Object.keys(commands).join(", ")}.`,
    );
  }
  return command;
}
