// @ts-check
import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { projectDirectory } from "./project-steps.mjs";
import { testPythons } from "./python.mjs";
import { runProgram } from "./run-program.mjs";

const directory = join(projectDirectory, ".cache/postgres-16");
/** A wheel that has the programs of PostgreSQL 16, whatever Python it is for. */
const wheel = {
  requirement: "pgserver==0.1.4",
  tags: ["--python-version=3.11", "--platform=manylinux2014_x86_64", "--only-binary=:all:"],
};

/**
 * Installs a newer PostgreSQL than the distribution's for the tests of the
 * upgrade, apart from every other.
 *
 * @param {(text: string) => void} report
 */
export async function installNewerPostgres(report) {
  if (existsSync(join(directory, "pgserver.libs"))) return null;
  report(wheel.requirement);
  const [python] = await testPythons();
  if (python === undefined)
    throw new Error("No Python was found for the tests: install python3 with its venv module");
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const run = (/** @type {string[]} */ ...parameters) =>
    runProgram(python.program, ["-m", ...parameters], { cwd: directory });
  const pip = ["pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"];
  await run(...pip, ...wheel.tags, "--dest", directory, wheel.requirement);
  const file = readdirSync(directory).find((name) => name.endsWith(".whl"));
  if (file === undefined) throw new Error(`pip left no wheel in ${directory}`);
  await run("zipfile", "--extract", file, "unpacked");
  const programs = join(directory, "unpacked/pgserver/pginstall/bin");
  await runProgram("chmod", ["--recursive", "a+rx", programs]);
  await runProgram("mv", [join(directory, "unpacked/pgserver"), directory]);
  await runProgram("mv", [join(directory, "unpacked/pgserver.libs"), directory]);
  for (const name of [file, "unpacked"]) rmSync(join(directory, name), { recursive: true });
  return "installed";
}
