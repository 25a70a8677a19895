// @ts-check
import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { projectDirectory } from "./project-steps.mjs";
import { runProgram } from "./run-program.mjs";
import { SetupError } from "./setup-error.mjs";

const directory = join(projectDirectory, ".cache/prometheus");

/**
 * Unpacks Debian's Prometheus and promtool for the tests of monitoring. The package is not
 * installed: that would start a Prometheus on the machine.
 *
 * @param {(text: string) => void} report
 */
export async function unpackPrometheus(report) {
  if (existsSync(join(directory, "usr/bin/promtool"))) return null;
  report("apt-get download prometheus");
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  // As root, apt would download as a user that may not write here.
  const download = ["-o", "APT::Sandbox::User=root", "download", "prometheus"];
  try {
    await runProgram("apt-get", download, { cwd: directory });
  } catch (error) {
    // The lists may name a version that the mirror no longer has.
    if (!(error instanceof SetupError)) throw error;
    await runProgram("apt-get", ["update"]);
    await runProgram("apt-get", download, { cwd: directory });
  }
  const file = readdirSync(directory).find((name) => name.endsWith(".deb"));
  if (file === undefined) throw new Error(`apt-get left no package in ${directory}`);
  await runProgram("dpkg-deb", ["--extract", file, "."], { cwd: directory });
  rmSync(join(directory, file));
  return "unpacked";
}
