// @ts-check
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { projectDirectory } from "../project-steps.mjs";
import { runProgram } from "../run-program.mjs";
import { bundleCli } from "./bundle-cli.mjs";
import { bundleSdk } from "./bundle-sdk.mjs";

/**
 * Packs the SDK and the command line into a folder, and returns the paths of
 * their tarballs, in this order. Both hold what they use of the other packages
 * of this repository: a registry may have others' packages under those names.
 *
 * @param {string} targetDirectory
 * @returns {Promise<string[]>}
 */
export async function packPackages(targetDirectory) {
  mkdirSync(targetDirectory, { recursive: true });
  const staging = mkdtempSync(join(tmpdir(), "opencomputer-pack-"));
  try {
    const tarballs = [];
    for (const [name, bundle] of /** @type {const} */ ([
      ["sdk", bundleSdk],
      ["cli", bundleCli],
    ])) {
      const source = join(projectDirectory, "packages", name);
      const stage = join(staging, name);
      mkdirSync(stage);
      const manifest = JSON.parse(readFileSync(join(source, "package.json"), "utf8"));
      const packed = await bundle(manifest, join(stage, "dist"));
      writeFileSync(join(stage, "package.json"), `${JSON.stringify(packed, null, 2)}\n`);
      cpSync(join(source, "README.md"), join(stage, "README.md"));
      cpSync(join(projectDirectory, "LICENSE"), join(stage, "LICENSE"));
      const output = await runProgram("npm", ["pack", "--pack-destination", targetDirectory], {
        cwd: stage,
        // `npm run` passes its own settings on, such as its working directory.
        env: { ...process.env, npm_config_loglevel: "error" },
      });
      tarballs.push(join(targetDirectory, output.trim().split("\n").at(-1) ?? ""));
    }
    return tarballs;
  } finally {
    rmSync(staging, { recursive: true });
  }
}
