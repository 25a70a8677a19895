// @ts-check
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { projectDirectory } from "./project-steps.mjs";
import { runCommand } from "./run-command.mjs";

const readerDirectory = join(projectDirectory, "setup/pglite-export");

/**
 * Installs the program that reads the database of a former version, where a
 * data directory has one or the tests need it.
 *
 * @param {{ purpose: "host" | "test", dataDirectory: string }} need
 * @param {(text: string) => void} report
 */
export async function installFormerDatabaseReader({ purpose, dataDirectory }, report) {
  const isNeeded = purpose === "test" || existsSync(join(dataDirectory, "database/PG_VERSION"));
  if (!isNeeded) return null;
  const stamp = join(readerDirectory, "node_modules/.opencomputer-lock");
  const fingerprint = createHash("sha256")
    .update(readFileSync(join(readerDirectory, "package-lock.json")))
    .update(process.version)
    .digest("hex");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === fingerprint) return null;
  report("npm ci");
  await runCommand("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: readerDirectory,
  });
  writeFileSync(stamp, fingerprint);
  return "installed";
}
