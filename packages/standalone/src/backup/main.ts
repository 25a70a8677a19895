import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { SettingsError } from "@opencomputer/protocol/wire";
import { describeInstallation, type Installation } from "../installation/installation.ts";
import { loadInstallationRecord } from "../installation/installation-record.ts";
import { isListening } from "../installation/single-instance.ts";
import { createProgressLine } from "../progress-line.ts";
import { readServeSettings, takeSecrets } from "../serve-settings.ts";
import { createBackup } from "./create-backup.ts";
import { restoreBackup } from "./restore-backup.ts";

const gibibyte = 1024 ** 3;

try {
  await run(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof Error)) throw error;
  process.stderr.write(`\n${error.message}\n`);
  process.exitCode = error instanceof SettingsError ? 2 : 1;
}

async function run([action = "", directory = "", ...others]: string[]): Promise<void> {
  if (!["backup", "restore"].includes(action) || directory === "" || others.length > 0) {
    throw new SettingsError("Usage: npm run backup -- DIRECTORY, or npm run restore -- DIRECTORY");
  }
  const secrets = takeSecrets(process.env);
  const settings = readServeSettings({ ...process.env, ...secrets });
  const dataDirectory = settings.OPENCOMPUTER_DATA_DIR;
  const progress = createProgressLine(process.stdout);
  const reports = {
    onStage: (text: string) => progress.show(text),
    onNote: (text: string) => process.stderr.write(`${text}\n`),
  };
  if (settings.DATABASE_URL !== undefined) {
    throw new SettingsError(
      "DATABASE_URL is set, and this command can only back up the private database: back the server up with its own tools, and the data directory while the service is stopped.",
    );
  }
  const path = resolve(directory);
  if (action === "restore") {
    await restoreBackup(path, dataDirectory, reports);
    progress.end(`  ✓ restored to ${dataDirectory}: start the service`);
    return;
  }
  const installation = await findRunning(dataDirectory);
  const { parts } = await createBackup(installation, path, reports);
  const bytes = parts.reduce((sum, part) => sum + part.bytes, 0);
  progress.end(`  ✓ ${parts.length} files, ${(bytes / gibibyte).toFixed(2)} GiB in ${path}`);
}

async function findRunning(dataDirectory: string): Promise<Installation> {
  // Reading the record of a directory that was never started would make one.
  if (existsSync(dataDirectory)) {
    const record = await loadInstallationRecord(dataDirectory);
    const installation = describeInstallation(dataDirectory, record);
    if (await isListening(installation.supervisorSocket)) return installation;
  }
  throw new Error(
    `No service runs on ${dataDirectory}: start it, or copy the directory as it is (cp --archive --sparse=always).`,
  );
}
