// @ts-check
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { projectDirectory } from "../project-steps.mjs";
import { hasTestsOfEveryRun, ofFullRun } from "./full-run.mjs";
import { findTestFiles } from "./test-files.mjs";

const mark = "(full run)";
const read = (/** @type {string} */ file) => readFileSync(join(projectDirectory, file), "utf8");

test("the name of a test says at its end that the full run alone has it", () => {
  assert.match(`scaling ${mark}`, ofFullRun);
  assert.doesNotMatch(`${mark} scaling`, ofFullRun);
});

test("a file is of every run unless each of its suites is of the full run", () => {
  const suite = (/** @type {string} */ name) => `describe("${name}", () => {\n`;
  assert.equal(hasTestsOfEveryRun(suite(`soak ${mark}`)), false);
  assert.equal(hasTestsOfEveryRun(suite(`soak ${mark}`) + suite("chaos")), true);
  assert.equal(hasTestsOfEveryRun(suite("chaos")), true);
  assert.equal(hasTestsOfEveryRun("for (const each of rows) {\n"), true);
});

test("CONTRIBUTING lists each file with tests of the full run alone, and no other", () => {
  const { integration, e2e } = findTestFiles(projectDirectory);
  const marked = [...integration, ...e2e].filter((file) => read(file).includes(mark));
  const [, table = ""] = read("CONTRIBUTING.md").split("| tests of the full run alone |");
  const [rows = ""] = table.split("\n\n");
  const listed = [...rows.matchAll(/^\| `([^`]+)`/gm)].map(([, file]) => file);
  assert.deepEqual(listed.toSorted(), marked.toSorted());
});
