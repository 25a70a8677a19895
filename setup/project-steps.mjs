// @ts-check
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { runCommand } from "./run-command.mjs";

/** The root of the clone. */
export const projectDirectory = fileURLToPath(new URL("..", import.meta.url));

/** The agent is static: no C compiler has to be there to build or test it. */
export const goEnvironment = { ...process.env, CGO_ENABLED: "0" };

/**
 * `npm ci`, unless the installed packages are those of the lock file.
 *
 * @param {(text: string) => void} report
 */
export async function installNodePackages(report) {
  const stamp = join(projectDirectory, "node_modules", ".opencomputer-lock");
  const fingerprint = createHash("sha256")
    .update(readFileSync(join(projectDirectory, "package-lock.json")))
    .update(process.version)
    .digest("hex");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === fingerprint) return null;
  report("npm ci");
  await runCommand("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: projectDirectory,
  });
  writeFileSync(stamp, fingerprint);
  return "installed";
}

/** Compiles what changed. */
export async function compileTypeScript() {
  await runCommand(
    process.execPath,
    [join(projectDirectory, "node_modules/typescript/bin/tsc"), "--build"],
    {
      cwd: projectDirectory,
    },
  );
  return "up to date";
}

/** The library that is preloaded into QEMU, unless it is newer than its source. */
export async function buildPreloadedLibrary() {
  const directory = join(projectDirectory, "packages/worker/native");
  const source = join(directory, "open-memory-read-only.c");
  const library = join(directory, "build/open-memory-read-only.so");
  if (existsSync(library) && statSync(library).mtimeMs > statSync(source).mtimeMs) return null;
  mkdirSync(join(directory, "build"), { recursive: true });
  await runCommand("tcc", ["-shared", "-nostdlib", "-o", library, source]);
  return "built";
}

/**
 * The guest's kernel, initramfs and disk, unless they are those of the sources.
 *
 * @param {(text: string) => void} report
 */
export async function buildGuestImage(report) {
  const lines = await runCommand(
    process.execPath,
    [join(projectDirectory, "guest-image/dist/main.js")],
    {
      cwd: projectDirectory,
      onLine: report,
    },
  );
  return /up to date/.test(lines) ? null : "built";
}
