import { existsSync } from "node:fs";
import { exitCodes, SettingsError } from "@opencomputer/protocol/wire";
import { apiOrigin } from "./api-endpoint.ts";
import { openInspectors } from "./development/inspector.ts";
import { describeInstallation } from "./installation/installation.ts";
import { loadInstallationRecord } from "./installation/installation-record.ts";
import { checkoutDirectory, runsFromSource } from "./installation/program-files.ts";
import { closeInheritedDescriptors } from "./process/inherited-descriptors.ts";
import { ServiceFailure } from "./process/process-set.ts";
import { createProgressLine } from "./progress-line.ts";
import { readServeSettings, takeSecrets } from "./serve-settings.ts";
import { type Service, startService } from "./service.ts";
import { connectServiceManager } from "./service-manager.ts";

closeInheritedDescriptors();
try {
  await serve();
} catch (error) {
  if (!(error instanceof Error)) throw error;
  process.stderr.write(`\n${error.message}\n`);
  process.exit(exitCodeFor(error));
}

function exitCodeFor(error: Error): number {
  if (error instanceof SettingsError) return exitCodes.configuration;
  return error instanceof ServiceFailure ? error.exitCode : exitCodes.failed;
}

async function serve(): Promise<void> {
  const secrets = takeSecrets(process.env);
  const settings = readServeSettings({ ...process.env, ...secrets });
  const onNote = (text: string) => void process.stderr.write(`${text}\n`);
  openInspectors(settings.OPENCOMPUTER_INSPECT, onNote);
  const dataDirectory = settings.OPENCOMPUTER_DATA_DIR;
  const record = await loadInstallationRecord(dataDirectory);
  const installation = describeInstallation(dataDirectory, record);
  process.stdout.write("OpenComputer\n");
  const startedAt = Date.now();
  const progress = createProgressLine(process.stdout);
  const service = await startService({
    settings,
    installation,
    environment: process.env,
    secrets,
    onStage: (stage) => progress.show(stage),
    onNote,
  });

  const manager = connectServiceManager({
    environment: process.env,
    isAlive: service.isAlive,
    onNote,
  });
  const endWatch = runsFromSource ? await restartOnChange(service, onNote) : undefined;
  let stopping: Promise<void> | undefined;
  const stop = () => {
    stopping ??= manager.stopping().then(async () => {
      await endWatch?.();
      await service.stop();
    });
    return stopping;
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      stop().then(
        () => process.exit(exitCodes.stopped),
        (error: unknown) => {
          onNote(`The service could not be stopped in order: ${String(error)}`);
          process.exit(exitCodes.failed);
        },
      );
    });
  }

  try {
    await service.ready;
  } catch (error) {
    if (stopping !== undefined) {
      progress.end("  stopped before it was ready");
      return;
    }
    progress.end("  ✗ the service could not start");
    await stop();
    throw error;
  }
  await manager.ready();
  progress.end(`  ✓ ready after ${((Date.now() - startedAt) / 1000).toFixed(1)} s`);

  const presetKey = settings.OPENCOMPUTER_API_KEY !== undefined;
  const keyPlace = presetKey ? "the one in OPENCOMPUTER_API_KEY" : installation.apiKeyFile;
  if (!presetKey && !existsSync(installation.apiKeyFile)) {
    throw new Error(`${installation.apiKeyFile} is missing: the API key cannot be shown`);
  }
  process.stdout.write(`
  API      ${apiOrigin(settings)}/api
  API key  ${keyPlace}
  logs     ${installation.logDirectory}
  audit    ${installation.auditDirectory}

  export OPENCOMPUTER_API_URL=${apiOrigin(settings)}
${presetKey ? "" : `  export OPENCOMPUTER_API_KEY=$(cat ${installation.apiKeyFile})\n`}
  npm run pack   packs the SDK and oc for other projects, and prints how to install them

Ctrl-C stops the service. Sandboxes keep running and are found again at the next start.
`);
}

/** Restarts the processes whose code is saved; the watcher is not loaded in production. */
async function restartOnChange(
  service: Service,
  onNote: (text: string) => void,
): Promise<() => Promise<void>> {
  const { watchSources } = await import("./development/watch-sources.ts");
  return watchSources(checkoutDirectory, (names) => {
    onNote(`code changed: restarting ${names.join(", ")}`);
    service.restart(names).catch((error: unknown) => {
      onNote(`${names.join(", ")} could not be restarted: ${String(error)}`);
    });
  });
}
