import { mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { databaseName } from "../database/cluster-files.ts";
import { findInstalledPostgres } from "../database/installed-postgres.ts";
import { readFileOf, syncPath } from "../installation/file-access.ts";
import type { Installation } from "../installation/installation.ts";
import { ensureSystemUsers, type SystemUser } from "../installation/system-users.ts";
import { writeOutput } from "./archive.ts";
import { ArchivedState } from "./archived-state.ts";
import { type BackupManifest, databaseDumpName, manifestName } from "./backup-manifest.ts";

const keyFileNames = ["encryption-key", "encryption-key.previous", "api-key"];
const keyFileBytesMax = 4096;

/**
 * Copies database, keys and saved state of a service while it runs. Saved state
 * is copied before the dump and again after it, so that everything that a row
 * of the dump names is in the backup: what was saved before, and what was saved
 * meanwhile. The manifest is written when everything else is on the disk.
 */
export async function createBackup(
  installation: Installation,
  directory: string,
  report: { onStage: (text: string) => void; onNote: (text: string) => void },
): Promise<BackupManifest> {
  const { dataDirectory } = installation;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  if ((await readdir(directory)).length > 0) {
    throw new Error(`${directory} is not empty: name a new directory for the backup.`);
  }
  const { controlPlane, worker } = await ensureSystemUsers();
  const archives = new ArchivedState({ dataDirectory, backupDirectory: directory, worker });

  report.onStage("keys");
  const keys = await readKeys(controlPlane, installation);
  if (keys.size > 0) await archives.addTexts("control-plane", keys);
  await archives.addSavedState(report);
  report.onStage("database");
  const dump = await dumpDatabase(installation, join(directory, databaseDumpName));
  if (!haveSameKeys(keys, await readKeys(controlPlane, installation))) {
    throw new Error("The encryption key was rotated during the backup: back up again.");
  }
  await archives.addSavedState(report);

  const manifest: BackupManifest = {
    version: 1,
    createdAt: new Date().toISOString(),
    installationId: installation.id,
    parts: [{ file: databaseDumpName, path: null, ...dump }, ...archives.parts()],
  };
  report.onStage("syncing");
  await removeOthers(directory, manifest);
  for (const { file } of manifest.parts) await syncPath(join(directory, file));
  await syncPath(directory);
  await writeManifest(directory, manifest);
  return manifest;
}

/** The content of each key file that exists, by its name. */
async function readKeys(
  owner: SystemUser,
  { controlPlaneDirectory }: Installation,
): Promise<Map<string, string>> {
  const keys = new Map<string, string>();
  for (const name of keyFileNames) {
    const path = join(controlPlaneDirectory, name);
    const text = await readFileOf(owner, path, { bytesMax: keyFileBytesMax });
    if (text !== undefined) keys.set(name, text);
  }
  return keys;
}

function haveSameKeys(
  one: ReadonlyMap<string, string>,
  other: ReadonlyMap<string, string>,
): boolean {
  return one.size === other.size && [...one].every(([name, text]) => other.get(name) === text);
}

async function dumpDatabase(installation: Installation, file: string) {
  const newest = (await findInstalledPostgres()).at(-1);
  if (newest === undefined)
    throw new Error("pg_dump is missing: run `apt-get install postgresql`.");
  const place = [`--host=${installation.databaseSocketDirectory}`, `--dbname=${databaseName}`];
  return writeOutput(
    join(newest.binaryDirectory, "pg_dump"),
    ["--format=custom", `--username=${databaseName}`, ...place],
    file,
  );
}

/** Archives of what changed while it was copied. */
async function removeOthers(directory: string, { parts }: BackupManifest): Promise<void> {
  const kept = new Set(parts.map(({ file }) => file));
  for (const name of await readdir(directory)) {
    if (!kept.has(name)) await rm(join(directory, name));
  }
}

async function writeManifest(directory: string, manifest: BackupManifest): Promise<void> {
  const path = join(directory, manifestName);
  const file = await open(`${path}.new`, "wx", 0o600);
  try {
    await file.writeFile(`${JSON.stringify(manifest, null, 2)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
  await syncPath(directory);
}
