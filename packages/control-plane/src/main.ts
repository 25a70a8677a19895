import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { endWhenAsked, openTracer, readSecretSettings, setV8Flags } from "@opencomputer/process";
import { exitCodes, readSettings, SettingsError } from "@opencomputer/protocol/wire";
import { type ControlPlane, startControlPlane } from "./control-plane.ts";
import { controlPlaneSettings, optionsOf } from "./control-plane-settings.ts";
import { lockDirectory } from "./data-directory/data-directory.ts";
import { openServerDatabase } from "./database/open-server-database.ts";
import { createLogger } from "./logging.ts";
import { watchSupervisor } from "./supervisor-link.ts";

/** Longest that requests under way may hold up the end of the process. */
const shutdownMilliseconds = 10_000;

/** Where the set-up builds the dashboard, beside what `src` is compiled to. */
const dashboardDirectory = fileURLToPath(new URL("../dist/dashboard", import.meta.url));

setV8Flags("control-plane");
const logger = createLogger();
try {
  await run();
} catch (error) {
  if (error instanceof SettingsError) logger.fatal(error.message);
  else logger.fatal({ err: error }, "the control plane cannot run");
  process.exit(error instanceof SettingsError ? exitCodes.configuration : exitCodes.failed);
}

async function run(): Promise<void> {
  const settings = readSettings(controlPlaneSettings, readSecretSettings(process.env));
  logger.level = settings.OPENCOMPUTER_LOG_LEVEL;
  await holdDataDirectory(settings.OPENCOMPUTER_DATA_DIR);
  const { tracer, close: closeTracer } = await openTracer(settings, {
    processName: "control-plane",
    log: logger,
  });
  const database = await openServerDatabase(settings.DATABASE_URL, logger);
  let controlPlane: ControlPlane | undefined;
  endWhenAsked({
    log: logger,
    async close() {
      // Undefined when the process is to end before it listens.
      await controlPlane?.close();
      await Promise.all([database.close(), closeTracer()]);
    },
    closeMillisecondsMax: shutdownMilliseconds,
  });
  controlPlane = await startControlPlane(
    database,
    {
      ...optionsOf(settings),
      dashboardDirectory: existsSync(dashboardDirectory) ? dashboardDirectory : null,
      ...watchSupervisor(process, logger),
      tracer,
    },
    logger,
  );
}

/** Makes the data directory this process's until it ends: keys and requests under way are one control plane's. */
async function holdDataDirectory(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  await lockDirectory(path);
}
