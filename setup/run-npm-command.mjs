// @ts-check
import process from "node:process";
import { bundlePrograms } from "./bundle-programs.mjs";
import { buildDashboard } from "./dashboard.mjs";
import { commandNamed, readOptions } from "./npm-commands.mjs";
import { createProgress } from "./progress.mjs";
import {
  buildGuestImage,
  buildPreloadedLibrary,
  compileTypeScript,
  projectDirectory,
} from "./project-steps.mjs";
import { runForeground } from "./run-program.mjs";
import { reportSetupError } from "./setup-error.mjs";

// Builds what a command of package.json needs and runs it, under the pinned Node.

const [name = "", ...commandArguments] = process.argv.slice(2);
try {
  process.exitCode = await runNpmCommand(name, commandArguments);
} catch (error) {
  reportSetupError(error);
}

/**
 * @param {string} name
 * @param {string[]} commandArguments
 */
async function runNpmCommand(name, commandArguments) {
  const { purpose, program, options, settings: defaults } = commandNamed(name);
  const { settings, words } = readOptions(options ?? {}, commandArguments);
  if (purpose === "host" || purpose === "test") await buildService(purpose);
  process.stdout.write("\n");
  return runForeground(process.execPath, [...program, ...words], {
    cwd: projectDirectory,
    env: { ...defaults, ...process.env, ...settings },
  });
}

/**
 * Builds what processes of the service are started from. Tests that need the
 * guest image have it built while others run.
 *
 * @param {"host" | "test"} purpose
 */
async function buildService(purpose) {
  const { step } = createProgress();
  await Promise.all([
    step("TypeScript", compileTypeScript).then(async () => {
      if (purpose === "host") await step("guest agent and image", buildGuestImage);
    }),
    step("programs", bundlePrograms),
    step("library preloaded into QEMU", buildPreloadedLibrary),
    step("dashboard", buildDashboard),
  ]);
}
