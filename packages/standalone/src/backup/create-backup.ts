import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { databaseName } from "../database/cluster-files.ts";
import { findInstalledPostgres } from "../database/installed-postgres.ts";
import type { Installation } from "../installation.ts";
import { syncPath } from "../sync-path.ts";
import { writeArchive, writeOutput } from "./archive.ts";
import {
  type BackupManifest,
  type BackupPart,
  databaseDumpName,
  manifestName,
} from "./backup-manifest.ts";
import { layersOf, listSavedState, stateOf } from "./saved-state.ts";

const attemptsMax = 3;
const keyFiles = ["encryption-key", "encryption-key.previous", "api-key"];

/**
 * Copies database, keys and saved state of a service while it runs. Saved state
 * is copied before the dump and again after it, so that whatever a row of the
 * dump names is there: what was saved before, and what was saved meanwhile.
 * The manifest is written when all else is on the disk.
 */
export async function createBackup(
  installation: Installation,
  directory: string,
  { onStage, onNote }: { onStage: (text: string) => void; onNote: (text: string) => void },
): Promise<BackupManifest> {
  const { dataDirectory } = installation;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  if ((await readdir(directory)).length > 0) {
    throw new Error(`${directory} is not empty: name a directory for this backup alone.`);
  }
  const parts = new Map<string, BackupPart>();
  const add = async (path: string, files: string[] = [path]) => {
    const file = `${createHash("sha256").update(path).digest("hex").slice(0, 32)}.tar.zst`;
    const target = join(directory, file);
    await rm(target, { force: true });
    parts.set(path, { file, path, ...(await writeArchive(dataDirectory, files, target)) });
  };

  /** Whether it was copied as it was saved. */
  const addSaved = async (path: string): Promise<boolean> => {
    for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
      const before = await stateOf(dataDirectory, path);
      if (before === undefined) return false;
      const layers = await layersOf(dataDirectory, path);
      const layersBefore = await Promise.all(layers.map((layer) => stateOf(dataDirectory, layer)));
      for (const layer of layers) if (!parts.has(layer)) await add(layer);
      await add(path);
      const layersAfter = await Promise.all(layers.map((layer) => stateOf(dataDirectory, layer)));
      const isSame =
        before === (await stateOf(dataDirectory, path)) &&
        layersBefore.every((state, index) => state !== undefined && state === layersAfter[index]);
      if (isSame) return true;
      for (const changed of [path, ...layers]) parts.delete(changed);
    }
    return false;
  };
  const addAllSaved = async () => {
    for (const path of await listSavedState(dataDirectory)) {
      if (parts.has(path)) continue;
      onStage(path);
      try {
        if (await addSaved(path)) continue;
      } catch (error) {
        if (!(error instanceof Error)) throw error;
        if ((await stateOf(dataDirectory, path)) !== undefined) throw error;
      }
      onNote(`${path} was woken or removed meanwhile, and is left out`);
    }
  };

  onStage("keys");
  const keysBefore = await readKeys(installation);
  const keys = keyFiles.filter((name) =>
    existsSync(join(installation.controlPlaneDirectory, name)),
  );
  if (keys.length > 0)
    await add(
      "control-plane",
      keys.map((name) => `control-plane/${name}`),
    );
  await addAllSaved();
  onStage("database");
  const dump = await dumpDatabase(installation, join(directory, databaseDumpName));
  if ((await readKeys(installation)) !== keysBefore) {
    throw new Error("The encryption key was rotated meanwhile: back up again.");
  }
  await addAllSaved();

  const manifest: BackupManifest = {
    version: 1,
    createdAt: new Date().toISOString(),
    installationId: installation.id,
    parts: [{ file: databaseDumpName, path: null, ...dump }, ...parts.values()],
  };
  onStage("syncing");
  await removeOthers(directory, manifest);
  for (const { file } of manifest.parts) await syncPath(join(directory, file));
  await syncPath(directory);
  await writeManifest(directory, manifest);
  return manifest;
}

/** One text that differs when any of the key files does. */
async function readKeys({ controlPlaneDirectory }: Installation): Promise<string> {
  const paths = keyFiles.map((name) => join(controlPlaneDirectory, name));
  const texts = paths.map((path) => (existsSync(path) ? readFile(path, "utf8") : ""));
  return JSON.stringify(await Promise.all(texts));
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
