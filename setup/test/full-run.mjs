// @ts-check
import process from "node:process";

/** Whether this is `npm run test:full`: all sizes, versions and repetitions instead of the quick ones. */
export const isFullRun = process.env["OPENCOMPUTER_TEST_FULL"] === "1";

/** How the name of a test or suite ends that `npm run test:full` alone runs. */
export const ofFullRun = / \(full run\)$/;

/** What a run leaves out, as an option of `run`: such a test is neither run nor reported as skipped. */
export const testSkipPatterns = isFullRun ? [] : [ofFullRun];

/**
 * Whether some suite or test of a file is one of every run. A file without one is not started.
 *
 * @param {string} source of a test
 */
export function hasTestsOfEveryRun(source) {
  const begins = source.match(/^(?:describe|test)\(.*$/gm) ?? [];
  return begins.length === 0 || begins.some((line) => !line.includes("(full run)"));
}
