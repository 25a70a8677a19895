// @ts-check
import { copyFileSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { projectDirectory } from "../project-steps.mjs";
import { runProgram } from "../run-program.mjs";

/**
 * Brings package-lock.json up to date with the manifests. npm works on copies
 * of them, because beside an installed node_modules it leaves out optional
 * packages of other platforms, and `npm ci` then refuses the file.
 */
export async function writeLockFile() {
  const copies = mkdtempSync(join(tmpdir(), "opencomputer-lock-"));
  try {
    for (const file of [...manifestFiles(), "package-lock.json"]) {
      cpSync(join(projectDirectory, file), join(copies, file));
    }
    await runProgram("npm", ["install", "--package-lock-only", "--loglevel=error"], {
      cwd: copies,
      // `npm run` passes its own settings on, such as its working directory.
      env: withoutNpmSettings(process.env),
    });
    copyFileSync(join(copies, "package-lock.json"), join(projectDirectory, "package-lock.json"));
  } finally {
    rmSync(copies, { recursive: true });
  }
}

/** The manifests of the root and of all workspaces. */
export function manifestFiles() {
  const root = JSON.parse(readFileSync(join(projectDirectory, "package.json"), "utf8"));
  const folders = root.workspaces.flatMap((/** @type {string} */ workspace) => {
    const parent = workspace.replace(/\/\*$/, "");
    if (parent === workspace) return [workspace];
    return readdirSync(join(projectDirectory, parent)).map((name) => `${parent}/${name}`);
  });
  const files = folders.map((/** @type {string} */ folder) => `${folder}/package.json`);
  return ["package.json", ...files.sort()];
}

/** @param {NodeJS.ProcessEnv} environment */
function withoutNpmSettings(environment) {
  return Object.fromEntries(
    Object.entries(environment).filter(
      ([name]) => !/^npm_/i.test(name) || /^npm_config_(registry|cache|userconfig)$/i.test(name),
    ),
  );
}
