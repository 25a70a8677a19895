// @ts-check
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { projectDirectory } from "./project-steps.mjs";
import { newestTestPython } from "./python.mjs";
import { runProgram } from "./run-program.mjs";

/**
 * Packages for a Python, unpacked into a directory of their own.
 *
 * @typedef {object} Packages
 * @property {string} list the requirements, with all that they need: pip resolves nothing
 * @property {string} directory
 * @property {string[]} pipOptions
 */

/** Tests copy these into guests. The Python is the guest's, whatever the host's is. */
const guestClients = {
  list: join(projectDirectory, "guest-image/src/testing/python-clients.txt"),
  directory: join(projectDirectory, ".cache/guest-clients/python"),
  pipOptions: [
    ...["--only-binary=:all:", "--implementation=cp", "--python-version=3.11"],
    ...["--platform=manylinux_2_28_x86_64", "--platform=manylinux_2_17_x86_64"],
    "--platform=manylinux2014_x86_64",
  ],
};

/** The AWS SDK for Python, and a server of S3 as a program in `bin`. */
const awsTools = {
  list: join(projectDirectory, "packages/egress-proxy/src/testing/aws-tools.txt"),
  directory: join(projectDirectory, ".cache/aws-tools"),
  pipOptions: ["--only-binary=:all:"],
};

/**
 * Downloads the Python clients that tests run in guests, unless they are those of the list.
 *
 * @param {(text: string) => void} report
 */
export function installGuestClients(report) {
  return installPackages(guestClients, report);
}

/**
 * Downloads what tests of AWS secrets run beside the egress proxy, unless it is that of the list.
 *
 * @param {(text: string) => void} report
 */
export function installAwsTools(report) {
  return installPackages(awsTools, report);
}

/**
 * @param {Packages} packages
 * @param {(text: string) => void} report
 */
async function installPackages({ list, directory, pipOptions }, report) {
  const stamp = join(directory, ".opencomputer-fingerprint");
  const fingerprint = createHash("sha256").update(readFileSync(list)).digest("hex");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === fingerprint) return null;
  report("pip install");
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  await runProgram(await newestTestPython(), [
    ...["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"],
    ...["--no-compile", "--root-user-action=ignore", "--target", directory],
    ...pipOptions,
    ...["--requirement", list],
  ]);
  writeFileSync(stamp, fingerprint);
  return "installed";
}
