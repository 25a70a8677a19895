// @ts-check
import { existsSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { installFormerDatabaseReader } from "./former-database.mjs";
import { installNewerPostgres } from "./newer-postgres.mjs";
import { preflight } from "./preflight.mjs";
import { createProgress } from "./progress.mjs";
import {
  buildGuestImage,
  buildPreloadedLibrary,
  compileTypeScript,
  installNodePackages,
  projectDirectory,
} from "./project-steps.mjs";
import { installPythonSdk, installPythonTools } from "./python.mjs";
import { runForeground } from "./run-command.mjs";
import { SetupError } from "./setup-error.mjs";
import { installSystemPackages } from "./system-packages.mjs";

const gibibyte = 1024 ** 3;
const fromSource = ["--conditions=source", "--import", "tsx"];

/**
 * The commands of package.json. Each says what has to be installed before it
 * runs, which settings it has unless they are set, and which of its options
 * set them.
 *
 * @type {Record<string, { purpose: "check" | "host" | "test", program: string[], settings?: Record<string, string>, options?: Record<string, string> }>}
 */
const commands = {
  quickstart: { purpose: "host", program: ["quickstart/dist/main.js"] },
  serve: { purpose: "host", program: ["packages/standalone/dist/main.js"] },
  "rotate-key": { purpose: "host", program: ["packages/control-plane/dist/rotate-key.js"] },
  backup: { purpose: "host", program: ["packages/standalone/dist/backup/main.js", "backup"] },
  restore: { purpose: "host", program: ["packages/standalone/dist/backup/main.js", "restore"] },
  bench: { purpose: "host", program: ["bench/dist/main.js"] },
  test: { purpose: "test", program: [...fromSource, "setup/test.mjs"] },
  "test:chaos": {
    purpose: "test",
    program: [...fromSource, "setup/test.mjs", "e2e", "e2e/chaos.test.ts", "saved-state-secrets"],
    settings: { OPENCOMPUTER_CHAOS_ROUNDS: "300" },
    options: { rounds: "OPENCOMPUTER_CHAOS_ROUNDS", seed: "OPENCOMPUTER_CHAOS_SEED" },
  },
  "test:soak": {
    purpose: "test",
    program: [...fromSource, "setup/test.mjs", "e2e", "e2e/soak.test.ts"],
    settings: { OPENCOMPUTER_SOAK_HOURS: "1" },
    options: { hours: "OPENCOMPUTER_SOAK_HOURS", interval: "OPENCOMPUTER_SOAK_INTERVAL_SECONDS" },
  },
  check: { purpose: "check", program: ["setup/check.mjs"] },
};

const [name = "", ...commandArguments] = process.argv.slice(2);
try {
  process.exitCode = await runNamed(name, commandArguments);
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  process.stderr.write(`\n${error.message}\n`);
  process.exitCode = 1;
}

/**
 * @param {string} name
 * @param {string[]} commandArguments
 */
async function runNamed(name, commandArguments) {
  const command = commands[name];
  if (command === undefined) {
    throw new SetupError(
      `Unknown command ${JSON.stringify(name)}: expected ${Object.keys(commands).join(", ")}.`,
    );
  }
  const { settings, words } = readOptions(command.options ?? {}, commandArguments);
  preflight({ needsRoot: command.purpose !== "check", diskNeeds: diskNeeds(command.purpose) });

  process.stdout.write("Set-up\n");
  const progress = createProgress();
  await progress.step("system packages", (report) =>
    installSystemPackages(command.purpose, report),
  );
  await progress.step("npm packages", installNodePackages);
  if (command.purpose !== "check") {
    await progress.step("TypeScript", compileTypeScript);
    await progress.step("library preloaded into QEMU", buildPreloadedLibrary);
    await progress.step("guest agent and image", buildGuestImage);
  }
  if (command.purpose === "check") await progress.step("Python tools", installPythonTools);
  if (command.purpose !== "check") {
    const need = { purpose: command.purpose, dataDirectory: dataDirectory() };
    await progress.step("reader of former databases", (report) =>
      installFormerDatabaseReader(need, report),
    );
  }
  if (command.purpose === "test") {
    await progress.step("Python SDK", installPythonSdk);
    await progress.step("PostgreSQL 16 for tests of the upgrade", installNewerPostgres);
  }
  process.stdout.write("\n");
  return runForeground(process.execPath, [...command.program, ...words], {
    cwd: projectDirectory,
    env: { ...command.settings, ...process.env, ...settings },
  });
}

/**
 * Separates the options that are settings of a command from its other words.
 *
 * @param {Record<string, string>} options
 * @param {string[]} commandArguments
 */
function readOptions(options, commandArguments) {
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

/** @param {"check" | "host" | "test"} purpose */
function diskNeeds(purpose) {
  if (purpose === "check") return [];
  const imageIsBuilt = existsSync(join(projectDirectory, "guest-image/build/image.json"));
  return [
    { path: projectDirectory, bytes: (imageIsBuilt ? 1 : 5) * gibibyte },
    { path: dataDirectory(), bytes: 3 * gibibyte },
  ];
}

function dataDirectory() {
  return process.env["OPENCOMPUTER_DATA_DIR"] || "/var/lib/opencomputer";
}
