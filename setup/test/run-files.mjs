// @ts-check
import { relative } from "node:path";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { testSkipPatterns } from "./full-run.mjs";
import { noResults } from "./results.mjs";

/**
 * Runs test files in processes of their own and prints what they report, in
 * the order of the files.
 *
 * @param {string[]} files absolute paths
 * @param {object} options
 * @param {string} options.directory
 * @param {number} options.concurrency
 * @param {number} options.fileMinutesMax a file that takes longer fails
 * @param {(text: string) => void} options.print
 */
export async function runFiles(files, { directory, concurrency, fileMinutesMax, print }) {
  const results = noResults();
  const timeout = fileMinutesMax * 60_000;
  const events = run({ files, concurrency, timeout, testSkipPatterns });
  events.on("test:pass", (event) => {
    note(event);
    if (event.details.type === "suite") return;
    if (event.skip !== undefined || event.todo !== undefined) results.skipped.push(event.name);
    else results.passed += 1;
  });
  events.on("test:fail", (event) => {
    note(event);
    const { name, details } = event;
    const cause = details.error.cause;
    const file = event.file === undefined ? "" : relative(directory, event.file);
    const message = cause instanceof Error ? cause.message : String(cause);
    // A suite also fails for a test in it, which is reported itself.
    const ofSubtests = failureType(details.error) === "subtestsFailed";
    if (!ofSubtests && failureType(details.error) !== "cancelledByParent") {
      results.failures.push({ name, file, message });
    }
    if (details.type !== "suite") results.failed += 1;
  });
  for await (const text of events.compose(new spec())) print(text);
  return results;

  /** @param {{ name: string, file?: string, nesting: number, details: { duration_ms: number } }} event */
  function note({ name, file, nesting, details }) {
    if (nesting !== 0 || file === undefined) return;
    results.tests.push({
      name,
      file: relative(directory, file),
      milliseconds: details.duration_ms,
    });
  }
}

/** @param {Error} error of the test runner @returns {unknown} */
function failureType(error) {
  return "failureType" in error ? error.failureType : undefined;
}
