import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { startInstallation } from "./installation.ts";

const cacheDirectory = fileURLToPath(new URL("../../.cache", import.meta.url));
const templateDirectory = join(cacheDirectory, "installation-template");

/** Parts of a data directory that are written once and then only read. */
const immutableParts = ["images", "golden"];
const ownParts = ["audit", "logs", "installation.json", "worker"];

/**
 * Brings the template up to date: a data directory whose golden snapshot is
 * baked. A start on it costs seconds when nothing changed.
 */
export async function prepareTemplate(onOutput?: (text: string) => void): Promise<void> {
  await mkdir(templateDirectory, { recursive: true });
  const installation = await startInstallation({
    dataDirectory: templateDirectory,
    ...(onOutput === undefined ? {} : { onOutput }),
  });
  await installation.stop();
}

/**
 * A data directory of its own for one test: a copy of the template, which
 * shares what never changes by hard links.
 */
export async function copyTemplate(): Promise<string> {
  if (!existsSync(join(templateDirectory, "golden"))) await prepareTemplate();
  const directory = await mkdtemp(join(cacheDirectory, "data-"));
  for (const part of await readdir(templateDirectory)) {
    if (ownParts.includes(part)) continue;
    const options = ["--archive", ...(immutableParts.includes(part) ? ["--link"] : [])];
    await promisify(execFile)("cp", [
      ...options,
      join(templateDirectory, part),
      join(directory, part),
    ]);
  }
  return directory;
}

export async function removeDataDirectory(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true });
}
