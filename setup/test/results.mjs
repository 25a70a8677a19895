// @ts-check

/**
 * What a run of tests came to. `tests` has what took time: a test's or suite's
 * duration with its hooks.
 *
 * @typedef {object} Results
 * @property {number} passed
 * @property {number} failed
 * @property {{ name: string, file: string, message: string }[]} failures a suite is one when its hook failed
 * @property {string[]} skipped names
 * @property {{ name: string, file: string, milliseconds: number }[]} tests
 */

/** @returns {Results} */
export function noResults() {
  return { passed: 0, failed: 0, failures: [], skipped: [], tests: [] };
}

/**
 * @param {Results[]} parts
 * @returns {Results}
 */
export function mergeResults(parts) {
  return {
    passed: parts.reduce((sum, part) => sum + part.passed, 0),
    failed: parts.reduce((sum, part) => sum + part.failed, 0),
    failures: parts.flatMap((part) => part.failures),
    skipped: parts.flatMap((part) => part.skipped),
    tests: parts.flatMap((part) => part.tests),
  };
}

/**
 * The tests that failed, a line each, so that the end of a long log says what
 * to look for in it. Suites that only hold a failed test are not named.
 *
 * @param {Results} results
 * @param {number} rows
 */
export function formatFailures({ failures }, rows) {
  if (failures.length === 0) return "";
  const lines = failures.slice(0, rows).map(({ name, file, message }) => {
    const oneLine = message.trim().replaceAll(/\s+/g, " ").slice(0, 200);
    return `  ${file}: ${name}: ${oneLine}`;
  });
  if (failures.length > rows) lines.push(`  and ${failures.length - rows} more`);
  return ["Failed", ...lines, ""].join("\n");
}

/**
 * A table of the tests that took longest, and of the files that did.
 *
 * @param {Results} results
 * @param {number} rows
 */
export function formatSlowest({ tests }, rows) {
  const longest = [...tests].sort((one, other) => other.milliseconds - one.milliseconds);
  const files = new Map();
  for (const { file, milliseconds } of tests) {
    files.set(file, (files.get(file) ?? 0) + milliseconds);
  }
  const slowestFiles = [...files].sort((one, other) => other[1] - one[1]).slice(0, rows);
  return [
    `The ${rows} slowest tests`,
    ...longest
      .slice(0, rows)
      .map(({ name, file, milliseconds }) => row(milliseconds, `${name} (${file})`)),
    `The ${rows} slowest files, by the sum of their tests`,
    ...slowestFiles.map(([file, milliseconds]) => row(milliseconds, file)),
    "",
  ].join("\n");
}

/**
 * @param {number} milliseconds
 * @param {string} text
 */
function row(milliseconds, text) {
  return `${(milliseconds / 1000).toFixed(1).padStart(8)} s  ${text.replaceAll("\n", " ").slice(0, 140)}`;
}
