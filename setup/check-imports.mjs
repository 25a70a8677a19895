// @ts-check
import { cruiseSources, notChecked } from "./cruise-sources.mjs";
import { folderRule, importRules, testFiles } from "./import-rules.mjs";
import { projectDirectory } from "./project-steps.mjs";
import { SetupError } from "./setup-error.mjs";

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
  const { output, exitCode } = await cruiseSources(directory, {
    ruleSet: { forbidden },
    validate: true,
    outputType: "err-long",
    exclude: { path: exclude },
  });
  return exitCode === 0 ? "" : String(output);
}
