// @ts-check
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { pinnedNode } from "../pinned-node.mjs";
import { createProgress } from "../progress.mjs";
import { installNodePackages, projectDirectory } from "../project-steps.mjs";
import { runForeground } from "../run-program.mjs";
import { reportSetupError, SetupError } from "../setup-error.mjs";
import { writeLockFile } from "./write-lock-file.mjs";

const changeset = join(projectDirectory, "node_modules/@changesets/cli/bin.js");
const prepareRelease = fileURLToPath(new URL("prepare-release.mjs", import.meta.url));

/** @type {Record<string, () => Promise<number>>} */
const commands = {
  change: () => runPinned(changeset, "add"),
  release: () => runPinned(prepareRelease, changeset),
  lock: async () => {
    await createProgress().step("package-lock.json", async () => {
      await writeLockFile();
      return "agrees with the manifests";
    });
    return 0;
  },
};

// npm run change, npm run release, npm run lock.
const [name = ""] = process.argv.slice(2);
try {
  const command = commands[name];
  if (command === undefined) {
    throw new SetupError(
      `Unknown command ${JSON.stringify(name)}: expected ${Object.keys(commands).join(", ")}.`,
    );
  }
  process.exitCode = await command();
} catch (error) {
  reportSetupError(error);
}

/**
 * Runs a program under the Node of the lock file, which is installed if need be.
 *
 * @param {string[]} program with its arguments
 */
async function runPinned(...program) {
  await createProgress().step("npm packages", installNodePackages);
  return runForeground(pinnedNode(), program, { cwd: projectDirectory });
}
