// @ts-check
import { createHash } from "node:crypto";
import { existsSync, globSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { projectDirectory } from "./project-steps.mjs";

/**
 * A digest of everything that something is built from: the sources in these
 * folders, these files, and Node.
 *
 * @param {string[]} folders
 * @param {string[]} files
 */
export function fingerprintOf(folders, files) {
  const hash = createHash("sha256").update(process.version);
  for (const file of [...folders.flatMap(sourcesIn), ...files]) {
    hash.update(`${file}\n`).update(readFileSync(join(projectDirectory, file)));
  }
  return hash.digest("hex");
}

/**
 * @param {string} outputDirectory
 * @param {string} fingerprint
 */
export function isUpToDate(outputDirectory, fingerprint) {
  const stamp = stampOf(outputDirectory);
  return existsSync(stamp) && readFileSync(stamp, "utf8") === fingerprint;
}

/**
 * Notes what a directory was built from, once it is complete.
 *
 * @param {string} outputDirectory
 * @param {string} fingerprint
 */
export function keepFingerprint(outputDirectory, fingerprint) {
  writeFileSync(stampOf(outputDirectory), fingerprint);
}

/** @param {string} outputDirectory */
function stampOf(outputDirectory) {
  return join(outputDirectory, ".fingerprint");
}

/** @param {string} folder */
function sourcesIn(folder) {
  return globSync(`${folder}/**/*.{ts,tsx,css,html,json}`, { cwd: projectDirectory })
    .filter((file) => !file.includes("node_modules"))
    .sort();
}
