import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { z } from "zod";
import { startInstallation } from "./installation.ts";
import { queryDatabase } from "./query-database.ts";

const cacheDirectory = fileURLToPath(new URL("../../.cache", import.meta.url));
const templateDirectory = join(cacheDirectory, "installation-template");

/** Parts of a data directory that are written once and then only read. */
const immutableParts = ["images", "golden"];
/** Tests of the worker alone start from the same golden snapshot, whose guests trust this certificate. */
const certificateFile = "certificate.pem";
/** Whether KVM works on this host, which the worker otherwise tests by booting a guest. */
const acceleratorFile = "worker/accelerator.json";
const ownParts = ["audit", "logs", "installation.json", "worker", certificateFile];

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
  const certificate = await queryDatabase(
    installation,
    "select to_json(ca_certificate_pem) from installations",
    z.string(),
  );
  await writeFile(join(templateDirectory, certificateFile), certificate);
  await installation.stop();
}

/**
 * A data directory of its own for one test: a copy of the template, which
 * shares what never changes by hard links.
 */
export async function copyTemplate({
  sharesImages = true,
}: {
  /** False for files whose number of links must not change while they are archived. */
  sharesImages?: boolean;
} = {}): Promise<string> {
  if (!existsSync(join(templateDirectory, "golden"))) await prepareTemplate();
  const directory = await mkdtemp(join(cacheDirectory, "data-"));
  for (const part of await readdir(templateDirectory)) {
    if (ownParts.includes(part)) continue;
    const options = [
      "--archive",
      ...(sharesImages && immutableParts.includes(part) ? ["--link"] : ["--sparse=always"]),
    ];
    await promisify(execFile)("cp", [
      ...options,
      join(templateDirectory, part),
      join(directory, part),
    ]);
  }
  await promisify(execFile)("cp", ["--archive", "--parents", acceleratorFile, directory], {
    cwd: templateDirectory,
  });
  return directory;
}

export async function removeDataDirectory(directory: string): Promise<void> {
  await rm(directory, { recursive: true, force: true });
}
