// @ts-check
import { readdirSync } from "node:fs";
import { join } from "node:path";

const skippedFolders = new Set(["node_modules", "dist", "build", ".git", ".cache"]);

/**
 * The tests by what they need: nothing (unit), real processes of one package
 * (integration), the whole installation with its virtual machines (e2e).
 *
 * @param {string} directory
 * @returns {{ unit: string[], integration: string[], e2e: string[] }}
 */
export function findTestFiles(directory) {
  const files = walk(directory, "").sort();
  const isIntegration = (/** @type {string} */ file) => file.endsWith(".integration.test.ts");
  const isEndToEnd = (/** @type {string} */ file) => file.startsWith("e2e/");
  return {
    unit: files.filter((file) => !isIntegration(file) && !isEndToEnd(file)),
    integration: files.filter(isIntegration),
    e2e: files.filter(isEndToEnd),
  };
}

/**
 * @param {string} root
 * @param {string} folder
 * @returns {string[]}
 */
function walk(root, folder) {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return skippedFolders.has(entry.name) ? [] : walk(root, path);
    return /\.test\.(ts|mjs)$/.test(entry.name) ? [path] : [];
  });
}
