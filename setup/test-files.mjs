// @ts-check
import { readdirSync } from "node:fs";
import { join } from "node:path";

const skippedFolders = new Set(["node_modules", "dist", "build", ".git", ".cache"]);

/**
 * The tests by what they need, cheapest first: nothing, real processes of one
 * package, the whole installation with its virtual machines.
 *
 * @param {string} directory
 * @returns {{ stage: "unit" | "integration" | "e2e", files: string[], concurrency: number }[]}
 */
export function findTestFiles(directory) {
  const files = walk(directory, "").sort();
  const isIntegration = (/** @type {string} */ file) => file.endsWith(".integration.test.ts");
  const isEndToEnd = (/** @type {string} */ file) => file.startsWith("e2e/");
  return [
    {
      stage: "unit",
      files: files.filter((file) => !isIntegration(file) && !isEndToEnd(file)),
      concurrency: 2,
    },
    { stage: "integration", files: files.filter(isIntegration), concurrency: 1 },
    { stage: "e2e", files: files.filter(isEndToEnd), concurrency: 1 },
  ];
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
