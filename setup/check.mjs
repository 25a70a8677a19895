// @ts-check
import { join } from "node:path";
import process from "node:process";
import { checkImports } from "./check-imports.mjs";
import { checkSmallFiles } from "./check-small-files.mjs";
import { buildSite } from "./docs/build-site.mjs";
import { createProgress } from "./progress.mjs";
import { goEnvironment, projectDirectory } from "./project-steps.mjs";
import { checkPython, sdkDirectory } from "./python.mjs";
import { runProgram } from "./run-program.mjs";
import { reportSetupError, SetupError } from "./setup-error.mjs";

const goFolders = ["guest-agent", "packages/egress-proxy/src/testing/grpc", "e2e/monitoring"];

const { step } = createProgress();
try {
  await Promise.all([
    (async () => {
      await step("types", checkTypes);
      await step("guest agent: gofmt and go vet", checkGuestAgent);
    })(),
    (async () => {
      await step("format and lint", checkFormat);
      await step("imports and small files", checkImportRules);
      await step("Python SDK and examples: ruff and mypy", checkPythonCode);
      await step("documentation site", buildSite);
    })(),
  ]);
} catch (error) {
  reportSetupError(error);
}

async function checkFormat() {
  await runTool("@biomejs/biome/bin/biome", "check", "--error-on-warnings", ".");
  return null;
}

async function checkImportRules() {
  await checkImports();
  await checkSmallFiles();
  return null;
}

async function checkTypes() {
  await runTool("typescript/bin/tsc", "--project", "tsconfig.check.json");
  // It runs in browsers: with their types, and in the form that its bundler reads.
  await runTool("typescript/bin/tsc", "--project", "packages/dashboard/tsconfig.json");
  return null;
}

async function checkGuestAgent() {
  const directory = join(projectDirectory, "guest-agent");
  const unformatted = await runProgram("gofmt", ["-l", ...goFolders], { cwd: projectDirectory });
  if (unformatted.trim() !== "") {
    throw new SetupError(
      `gofmt would change these files, run \`gofmt -w ${goFolders.join(" ")}\`:\n${unformatted}`,
    );
  }
  await runProgram("go", ["vet", "./..."], { cwd: directory, env: goEnvironment });
  return null;
}

async function checkPythonCode() {
  const run = (/** @type {string[]} */ ...args) =>
    runProgram(checkPython, args, { cwd: sdkDirectory });
  await run("-m", "ruff", "format", "--check", ".", "../examples");
  await run("-m", "ruff", "check", "--quiet", ".", "../examples");
  // The types of the blocking twin are checked, too.
  await run("generate_sync.py");
  await run("-m", "mypy");
  return null;
}

/**
 * Runs a program of the npm packages.
 *
 * @param {string} path below node_modules
 * @param {string[]} words
 */
function runTool(path, ...words) {
  const program = join(projectDirectory, "node_modules", path);
  return runProgram(process.execPath, [program, ...words], { cwd: projectDirectory });
}
