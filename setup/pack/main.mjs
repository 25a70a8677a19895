// @ts-check
import { join, relative } from "node:path";
import process from "node:process";
import { createProgress } from "../progress.mjs";
import { installNodePackages, projectDirectory } from "../project-steps.mjs";
import { reportSetupError, SetupError } from "../setup-error.mjs";

/** The oldest that the bundler takes. */
const nodeVersionMin = "20.19.0";

// npm run pack: tarballs of the SDK and of oc that install anywhere, in packed/.
try {
  if (process.versions.node.localeCompare(nodeVersionMin, undefined, { numeric: true }) < 0) {
    throw new SetupError(
      `npm run pack needs Node ${nodeVersionMin} or newer, and this is Node ${process.versions.node}: install a newer one, for example from https://nodejs.org.`,
    );
  }
  const progress = createProgress();
  await progress.step("npm packages", installNodePackages);
  // What it imports may have been installed just now.
  const { packPackages } = await import("./pack-packages.mjs");
  /** @type {string[]} */
  let tarballs = [];
  await progress.step("SDK and oc", async () => {
    tarballs = await packPackages(join(projectDirectory, "packed"));
    return "packed";
  });
  const [sdk = "", cli = ""] = tarballs.map((path) => relative(projectDirectory, path));
  process.stdout.write(`
  npm install ${join(projectDirectory, sdk)}
  npm install --global ${join(projectDirectory, cli)}
`);
} catch (error) {
  reportSetupError(error);
}
