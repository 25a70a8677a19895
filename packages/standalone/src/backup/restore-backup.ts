import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, rename, rm, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { databaseName } from "../database/cluster-files.ts";
import { findInstalledPostgres } from "../database/installed-postgres.ts";
import { preparePrivateDatabase } from "../database/private-database.ts";
import { listDirectory, syncPath } from "../installation/file-access.ts";
import { describeInstallation, type Installation } from "../installation/installation.ts";
import { loadInstallationRecord } from "../installation/installation-record.ts";
import { prepareDirectories } from "../installation/prepare-directories.ts";
import { removeRuntimeDirectory } from "../installation/runtime-directory.ts";
import { ensureSystemUsers } from "../installation/system-users.ts";
import { confinedCommand } from "../process/confinement.ts";
import { assertIntact, extractArchive } from "./archive.ts";
import { databaseDumpName, readBackupManifest } from "./backup-manifest.ts";

/**
 * Restores a backup to a new data directory, which gets its name when it is
 * complete. An interrupted restore leaves a directory that the next one removes.
 *
 * @throws when the backup is damaged, or the data directory is not empty.
 */
export async function restoreBackup(
  backupDirectory: string,
  dataDirectory: string,
  { onStage, onNote }: { onStage: (text: string) => void; onNote: (text: string) => void },
): Promise<void> {
  const manifest = await readBackupManifest(backupDirectory);
  if ((await listDirectory(dataDirectory)).length > 0) {
    throw new Error(
      `${dataDirectory} is not empty: set OPENCOMPUTER_DATA_DIR to a directory that does not exist yet.`,
    );
  }
  onStage("checking the backup");
  for (const part of manifest.parts) await assertIntact(backupDirectory, part);

  const unfinished = `${dataDirectory}.restoring`;
  await rm(unfinished, { recursive: true, force: true });
  // A new id: it may be restored beside the installation that was backed up.
  const record = await loadInstallationRecord(unfinished);
  const installation = describeInstallation(unfinished, record);
  for (const { path, file } of manifest.parts) {
    if (path === null) continue;
    onStage(path);
    await mkdir(join(installation.dataDirectory, dirname(path)), { recursive: true });
    await extractArchive(join(backupDirectory, file), installation.dataDirectory);
  }
  onStage("database");
  await loadDatabase(installation, join(backupDirectory, databaseDumpName), onNote);
  onStage("syncing");
  await promisify(execFile)("sync", ["--file-system", installation.dataDirectory]);
  if (
    (await listDirectory(dirname(dataDirectory))).includes(dataDirectory.split("/").at(-1) ?? "")
  ) {
    await rmdir(dataDirectory);
  }
  await rename(installation.dataDirectory, dataDirectory);
  await syncPath(dirname(dataDirectory));
}

/** Loads the dump into a new cluster, and stops its server again. */
async function loadDatabase(
  installation: Installation,
  dump: string,
  onNote: (text: string) => void,
): Promise<void> {
  const users = await ensureSystemUsers();
  await mkdir(installation.runtimeDirectory, { recursive: true, mode: 0o711 });
  const hasApiKey = (await readdir(installation.dataDirectory)).includes("control-plane");
  await prepareDirectories(installation, users, {
    hasPresetApiKey: !hasApiKey,
    egressProxyCount: 0,
  });
  const onStage = () => undefined;
  const { definition, untilAccepting } = await preparePrivateDatabase({
    ...{ installation, users, onStage, onNote },
  });
  if (definition.confinement === undefined) throw new Error("The database is not confined");
  const [program = "", ...parameters] = confinedCommand(definition.command, definition.confinement);
  const server = spawn(program, parameters, { env: definition.environment, stdio: "ignore" });
  const closed = once(server, "close");
  try {
    const ended = new AbortController();
    server.once("close", () => ended.abort(new Error("The database server ended")));
    await untilAccepting(ended.signal);
    const newest = (await findInstalledPostgres()).at(-1);
    await promisify(execFile)(join(newest?.binaryDirectory ?? "", "pg_restore"), [
      ...["--exit-on-error", "--single-transaction", "--no-owner", `--username=${databaseName}`],
      ...[`--host=${installation.databaseSocketDirectory}`, `--dbname=${databaseName}`, dump],
    ]);
  } finally {
    server.kill("SIGINT");
    await closed;
  }
  await removeRuntimeDirectory(installation.runtimeDirectory);
}
