// @ts-check
import { readdirSync, readFileSync } from "node:fs";
import { stripTypeScriptTypes } from "node:module";
import { join, relative } from "node:path";
import { projectDirectory } from "../project-steps.mjs";

/** The packages whose code runs in the service or in what users install. */
export const sourceFolders = [
  ...readdirSync(join(projectDirectory, "packages")).map((name) => `packages/${name}`),
  "guest-image",
];

/**
 * The coverage of each package as lines of text. A file that no test loads
 * counts with all of its lines, unless it has types alone.
 *
 * @param {{ path: string, totalLineCount: number, coveredLineCount: number, totalBranchCount: number, coveredBranchCount: number }[]} measured
 */
export function coverageTable(measured) {
  const measuredFiles = new Map(
    measured.map((file) => [relative(projectDirectory, file.path), file]),
  );
  const rows = sourceFolders.map((folder) => {
    const files = sourceFiles(`${folder}/src`).map((path) => measuredFiles.get(path) ?? path);
    const loaded = files.filter((file) => typeof file !== "string");
    const neverLoaded = files.filter((file) => typeof file === "string" && countLines(file) > 0);
    const sum = (/** @type {(file: (typeof loaded)[number]) => number} */ count) =>
      loaded.reduce((total, file) => total + count(file), 0);
    const unloadedLines = neverLoaded.reduce(
      (total, file) => total + (typeof file === "string" ? countLines(file) : 0),
      0,
    );
    const lines = sum((file) => file.totalLineCount) + unloadedLines;
    return [
      folder,
      percent(
        sum((file) => file.coveredLineCount),
        lines,
      ),
      percent(
        sum((file) => file.coveredBranchCount),
        sum((file) => file.totalBranchCount),
      ),
      String(neverLoaded.length),
    ];
  });
  const table = [["package", "lines", "branches", "files never loaded"], ...rows];
  const widthOf = (/** @type {number} */ column) =>
    Math.max(...table.map((row) => (row[column] ?? "").length));
  return table
    .map((row) =>
      row
        .map((cell, column) =>
          column === 0 ? cell.padEnd(widthOf(column)) : cell.padStart(widthOf(column)),
        )
        .join("  "),
    )
    .map((line) => `${line}\n`)
    .join("");
}

/** @param {string} folder */
function sourceFiles(folder) {
  return readdirSync(join(projectDirectory, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !/\.test\.ts$|(^|\/)testing\//.test(name))
    .map((name) => join(folder, name));
}

/**
 * The lines of a file; none where it has types alone and leaves no code.
 *
 * @param {string} path
 */
function countLines(path) {
  const text = readFileSync(join(projectDirectory, path), "utf8");
  const code = stripTypeScriptTypes(text).replace(/\/\*[\s\S]*?\*\/|\/\/.*|export \{\};?/g, "");
  return code.trim() === "" ? 0 : text.split("\n").length - 1;
}

/**
 * @param {number} part
 * @param {number} whole
 */
function percent(part, whole) {
  return whole === 0 ? "-" : `${((part / whole) * 100).toFixed(1)} %`;
}
