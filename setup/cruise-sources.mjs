// @ts-check
import { cruise } from "dependency-cruiser";

/** The folders whose imports are read. */
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
export const notChecked = "/(dist|build)/|^setup/pglite-export/";

/**
 * Reads which files import which.
 *
 * @param {string} directory
 * @param {import("dependency-cruiser").ICruiseOptions} options
 */
export function cruiseSources(directory, options) {
  return cruise(
    sources,
    {
      baseDir: directory,
      parser: "swc",
      moduleSystems: ["es6"],
      doNotFollow: { path: "node_modules" },
      ...options,
    },
    {
      exportsFields: ["exports"],
      conditionNames: ["source", "import", "node", "default"],
    },
  );
}
