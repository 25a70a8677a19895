// @ts-check
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { run } from "node:test";
import { dot } from "node:test/reporters";
import { projectDirectory } from "../project-steps.mjs";
import { coverageTable, sourceFolders } from "./coverage-table.mjs";
import { testSkipPatterns } from "./full-run.mjs";
import { clearGroupPrograms, writeGroupProgram } from "./group-programs.mjs";
import { findTestFiles } from "./test-files.mjs";
import { groupUnitTests } from "./test-groups.mjs";

// npm run test:coverage [-- [unit|integration] [machines] [part of a path …]]

const words = process.argv.slice(2);
const paths = words.filter((word) => !["unit", "integration", "machines"].includes(word));
const wantsStage = (/** @type {string} */ stage) =>
  words.includes(stage) || !(words.includes("unit") || words.includes("integration"));
const isWanted = (/** @type {string} */ file) =>
  paths.length === 0 || paths.some((part) => file.includes(part));

const found = findTestFiles(projectDirectory);
const unit = wantsStage("unit") ? found.unit.filter(isWanted) : [];
const integration = wantsStage("integration")
  ? found.integration
      .filter(isWanted)
      .filter((file) => words.includes("machines") || !startsMachines(file))
  : [];
process.stdout.write(`${unit.length + integration.length} test files\n`);

clearGroupPrograms();
let failures = 0;
const events = run({
  files: [
    ...groupUnitTests(unit).map((group) => writeGroupProgram(group)),
    ...integration.map((file) => join(projectDirectory, file)),
  ],
  concurrency: 1,
  testSkipPatterns,
  coverage: true,
  coverageIncludeGlobs: sourceFolders.map((folder) => `${folder}/src/**`),
  coverageExcludeGlobs: ["**/*.test.ts", "**/testing/**"],
});
events.on("test:fail", ({ details }) => {
  if (details.type !== "suite") failures += 1;
});
let table = "";
events.on("test:coverage", ({ summary }) => {
  table = coverageTable(summary.files);
});
for await (const text of events.compose(dot)) process.stdout.write(text);
process.stdout.write(`\n${table}`);
process.exitCode = failures > 0 || table === "" ? 1 : 0;

/**
 * Whether an integration test runs virtual machines.
 *
 * @param {string} file
 */
function startsMachines(file) {
  const text = readFileSync(join(projectDirectory, file), "utf8");
  return /\/(worker-process|boot-guest)\.ts"/.test(text);
}
