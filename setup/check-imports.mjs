// @ts-check
import { cruise } from "dependency-cruiser";
import { folderRule, importRules, testFiles } from "./import-rules.mjs";
import { projectDirectory } from "./project-steps.mjs";
import { SetupError } from "./setup-error.mjs";

export const sources = [
  "packages",
  "guest-image",
  "harness",
  "quickstart",
  "bench",
  "e2e",
  "setup",
];
/** Compiled files, and a program that runs apart with packages of its own. */
const notChecked = "/(dist|build)/|^setup/pglite-export/";

/**
 * Checks which files and folders import which: no cycles, and what
 * `import-rules.mjs` allows.
 *
 * @param {string} directory
 * @throws {SetupError} with the violations
 */
export async function checkImports(directory = projectDirectory) {
  const reports = [
    await violations(directory, importRules, notChecked),
    await violations(directory, [folderRule], `${notChecked}|${testFiles}`),
  ].filter((report) => report !== "");
  if (reports.length > 0) throw new SetupError(reports.join("\n"));
}

/**
 * @param {string} directory
 * @param {import("dependency-cruiser").IForbiddenRuleType[]} forbidden
 * @param {string} exclude
 */
async function violations(directory, forbidden, exclude) {
  const { output, exitCode } = await cruise(
    sources,
    {
      baseDir: directory,
      ruleSet: { forbidden },
      validate: true,
      outputType: "err-long",
      parser: "swc",
      moduleSystems: ["es6"],
      doNotFollow: { path: "node_modules" },
      exclude: { path: exclude },
    },
    {
      exportsFields: ["exports"],
      conditionNames: ["source", "import", "node", "default"],
    },
  );
  return exitCode === 0 ? "" : String(output);
}
