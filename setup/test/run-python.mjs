// @ts-check
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { sdkDirectory, testPythons } from "../python.mjs";
import { runInBackground } from "../run-program.mjs";
import { isFullRun } from "./full-run.mjs";
import { mergeResults, noResults } from "./results.mjs";

/**
 * Runs the tests of the Python SDK with the oldest Python that it was installed for, and in a
 * full run with each, at the same time. `e2e/python-sdk.test.ts` uses it on the newest.
 *
 * @param {(path: string) => boolean} isWanted
 */
export async function runPythonTests(isWanted) {
  const files = readdirSync(join(sdkDirectory, "tests"))
    .filter((name) => /^test_.*\.py$/.test(name))
    .map((name) => join("tests", name))
    .filter((file) => isWanted(`sdk-python/${file}`));
  if (files.length === 0) return noResults();
  const reports = mkdtempSync(join(tmpdir(), "python-tests-"));
  const parts = await Promise.all(
    (await testPythons())
      .slice(0, isFullRun ? undefined : 1)
      .map((python) => runWith(python, files, reports)),
  );
  rmSync(reports, { recursive: true });
  return mergeResults(parts);
}

/**
 * @param {{ name: string, program: string }} python
 * @param {string[]} files
 * @param {string} reports a directory
 */
async function runWith({ name, program }, files, reports) {
  const report = join(reports, `${name}.xml`);
  // The cache would be that of two runs at once.
  const options = ["--quiet", "-p", "no:cacheprovider", `--junit-xml=${report}`];
  const words = ["-m", "pytest", ...options, ...files];
  const startedAt = Date.now();
  const { exitCode, output } = await runInBackground(program, words, { cwd: sdkDirectory });
  process.stdout.write(`\npython: ${files.length} files, ${name}\n${output}`);
  const counts = /<testsuite [^>]*>/.exec(readFileSync(report, "utf8"))?.[0] ?? "";
  const count = (/** @type {string} */ what) =>
    Number(new RegExp(` ${what}="(\\d+)"`).exec(counts)?.[1] ?? 0);
  const failures = count("failures") + count("errors");
  const skips = count("skipped");
  return {
    passed: count("tests") - failures - skips,
    failed: Math.max(failures, exitCode === 0 ? 0 : 1),
    failures:
      exitCode === 0
        ? []
        : [{ name: `pytest, ${name}`, file: "sdk-python", message: `exit code ${exitCode}` }],
    skipped: Array.from({ length: skips }, () => `a test of ${name}`),
    tests: [{ name: `pytest, ${name}`, file: "sdk-python", milliseconds: Date.now() - startedAt }],
  };
}
