// @ts-check
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { projectDirectory } from "../project-steps.mjs";
import { runProgram } from "../run-program.mjs";

/** The manifest of the Python SDK. */
export const pythonManifest = "sdk-python/pyproject.toml";

/** Where a version of the packed packages is named: in commands that install them. */
export const tarballPattern = /(opencomputer-(?:sdk|cli))-(\d[\w.-]*?)\.tgz/g;

/**
 * Writes the version of the workspaces to what Changesets does not know: the
 * root manifest, the Python SDK, and the names of tarballs in documents.
 *
 * @param {string} version
 */
export async function writeVersion(version) {
  edit("package.json", (text) => text.replace(/^( {2}"version": )".*"/m, `$1"${version}"`));
  edit(pythonManifest, (text) => text.replace(/^version = ".*"/m, `version = "${version}"`));
  for (const file of await filesNamingTarballs()) {
    edit(file, (text) => text.replaceAll(tarballPattern, `$1-${version}.tgz`));
  }
}

/** Tracked files that name a tarball with its version. */
export async function filesNamingTarballs() {
  const found = await runProgram(
    "git",
    ["grep", "-lE", "opencomputer-(sdk|cli)-[0-9][0-9A-Za-z.-]*\\.tgz", "--", "*.md", "*.ts"],
    { cwd: projectDirectory },
  );
  return found.trim().split("\n");
}

/**
 * @param {string} file
 * @param {(text: string) => string} change
 */
function edit(file, change) {
  const path = join(projectDirectory, file);
  writeFileSync(path, change(readFileSync(path, "utf8")));
}
