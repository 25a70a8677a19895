// @ts-check
import { existsSync } from "node:fs";
import { join } from "node:path";
import { installPackagesOf, projectDirectory } from "./project-steps.mjs";

const readerDirectory = join(projectDirectory, "setup/pglite-export");

/**
 * Installs the program that reads the database of an earlier version, where a
 * data directory has one or the tests need it.
 *
 * @param {{ purpose: "host" | "test", dataDirectory: string }} need
 * @param {(text: string) => void} report
 */
export async function installPgliteReader({ purpose, dataDirectory }, report) {
  const isNeeded = purpose === "test" || existsSync(join(dataDirectory, "database/PG_VERSION"));
  if (!isNeeded) return null;
  return installPackagesOf(readerDirectory, report);
}
