// @ts-check
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { cruiseSources, notChecked } from "./cruise-sources.mjs";
import { projectDirectory } from "./project-steps.mjs";
import { SetupError } from "./setup-error.mjs";

const linesMin = 25;
/** Files that are not checked, and whose imports do not count. */
const tests = String.raw`\.test\.(ts|mjs)$|/testing/|^e2e/`;

/**
 * Files below the minimum that one other file imports, and why they are apart.
 *
 * @type {Record<string, string>}
 */
export const exceptions = {
  "bench/src/clients/client-figures.ts": "the entry point of its folder",
  "packages/control-plane/src/http/routes/health.ts": "routes, which have a file for each group",
  "packages/dashboard/src/configure-schemas.ts": "runs before the other imports of the page",
  "packages/worker/src/saved-memory/load-state.ts": "the counterpart of save-memory.ts",
};

/**
 * Checks that each file below 25 lines is apart for a reason: several files or the
 * index of a package import it, it has a test of its own, or it is a program, which
 * nothing imports. Any other belongs in the file that imports it.
 *
 * @param {string} directory
 * @throws {SetupError} that names the files
 */
export async function checkSmallFiles(directory = projectDirectory) {
  const { output } = await cruiseSources(directory, {
    skipAnalysisNotInRules: true,
    exclude: { path: `${notChecked}|${tests}` },
  });
  if (typeof output === "string") throw new TypeError("Expected the modules, got a text");
  const { modules } = output;
  const faults = modules.flatMap(({ source }) => {
    if (!isSmallWithoutTest(directory, source)) return [];
    const importers = modules.filter(({ dependencies }) =>
      dependencies.some(({ resolved }) => resolved === source),
    );
    const [importer, ...others] = importers.map((module) => module.source);
    const isReused =
      importer === undefined || others.length > 0 || /(^|\/)index\.ts$/.test(importer);
    return isReused ? [] : [`${source} belongs in ${importer}`];
  });
  if (faults.length === 0) return;
  throw new SetupError(
    `Files below ${linesMin} lines that only one file imports: merge them, or give them a test of their own:\n${faults.join("\n")}`,
  );
}

/**
 * Whether a file is small, and neither an exception nor tested by a file of its own.
 *
 * @param {string} directory
 * @param {string} source
 */
function isSmallWithoutTest(directory, source) {
  if (!/^(?!node_modules\/).*\.(ts|tsx|mjs)$/.test(source) || source in exceptions) return false;
  const base = join(directory, source.replace(/\.(ts|tsx|mjs)$/, ""));
  const endings = [".test.ts", ".test.mjs", ".integration.test.ts"];
  if (endings.some((end) => existsSync(base + end))) return false;
  return readFileSync(join(directory, source), "utf8").split("\n").length <= linesMin;
}
