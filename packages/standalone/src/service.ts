import { mkdir } from "node:fs/promises";
import { egressProxyName } from "@opencomputer/protocol/wire";
import { apiOrigin, assertPortsAreFree } from "./api-endpoint.ts";
import { AuditTrail } from "./audit/audit-trail.ts";
import { carryOverEarlierDatabase } from "./database/carry-over.ts";
import { databaseUrlOf, preparePrivateDatabase } from "./database/private-database.ts";
import type { Installation } from "./installation/installation.ts";
import { prepareDirectories } from "./installation/prepare-directories.ts";
import { assertProgramIsReadable } from "./installation/program-files.ts";
import { holdRuntimeDirectory, removeRuntimeDirectory } from "./installation/runtime-directory.ts";
import { holdInstallation } from "./installation/single-instance.ts";
import { ensureSystemUsers, type SystemUsers } from "./installation/system-users.ts";
import { ProcessSet } from "./process/process-set.ts";
import type { ProcessDefinition, ProcessStreams } from "./process/start-process.ts";
import { defineProcesses } from "./processes.ts";
import { isApiResponding, untilListening, untilReady, untilResponding } from "./readiness.ts";
import type { ServeSettings } from "./serve-settings.ts";

/** The whole service on one machine: database, worker, egress proxy and control plane. */
export interface Service {
  /** Resolves when sandboxes can be made; rejects when they never can. */
  readonly ready: Promise<void>;
  /**
   * Whether the API responds, or its process is about to be started again:
   * starting the whole service again would not give that process what it lacks.
   */
  isAlive(): Promise<boolean>;
  /** Restarts the named processes, for those that run; every egress proxy for the name of the first. Sandboxes keep running. */
  restart(names: readonly string[]): Promise<void>;
  /** Stops every process, in the reverse order of their start. Sandboxes keep running. */
  stop(): Promise<void>;
}

interface ServiceOptions {
  readonly settings: ServeSettings;
  readonly installation: Installation;
  readonly environment: NodeJS.ProcessEnv;
  /** In no process's environment: each is for one process alone. */
  readonly secrets: Readonly<Record<string, string>>;
  readonly onStage: (stage: string) => void;
  readonly onNote: (text: string) => void;
}

/** Prepares the host for an installation and begins to start its processes. */
export async function startService(options: ServiceOptions): Promise<Service> {
  const { settings, installation, environment, secrets, onNote } = options;
  const users = await ensureSystemUsers();
  await assertProgramIsReadable();
  await mkdir(installation.runtimeDirectory, { recursive: true, mode: 0o711 });
  const release = await holdInstallation(installation);
  try {
    await holdRuntimeDirectory(installation.runtimeDirectory, installation.dataDirectory);
  } catch (error) {
    await release();
    throw error;
  }
  await prepareDirectories(installation, users, {
    hasPresetApiKey: settings.OPENCOMPUTER_API_KEY !== undefined,
    egressProxyCount: settings.OPENCOMPUTER_EGRESS_PROXY_PROCESSES,
  });
  await assertPortsAreFree(settings);
  const databaseUrl = settings.DATABASE_URL ?? databaseUrlOf(installation.databaseSocketDirectory);
  const definitions = defineProcesses({
    ...{ settings, installation, environment, databaseUrl, secrets, users },
  });
  const controlPlaneName = definitions.controlPlane.name;
  const processes = await ProcessSet.open({ installation, stateReader: controlPlaneName, onNote });
  const egressProxies = definitions.egressProxies.map((definition) => ({
    definition,
    log: processes.openLog(definition),
  }));
  const auditTrail = await AuditTrail.open({
    directory: installation.auditDirectory,
    report(message) {
      onNote(message);
      for (const { log } of egressProxies) log.write(errorLine(message));
    },
  });

  return {
    ready: startProcesses(options, {
      ...{ definitions, processes, users, databaseUrl },
      ...{ egressProxies, readAudit: (stream) => auditTrail.read(stream) },
    }),
    async isAlive() {
      return processes.isRestarting(controlPlaneName) || isApiResponding(apiOrigin(settings));
    },
    restart: (names) =>
      processes.replace(
        names.flatMap((name) =>
          name === egressProxyName(0)
            ? egressProxies.map(({ definition }) => definition.name)
            : [name],
        ),
      ),
    async stop() {
      await processes.stop();
      await auditTrail.close();
      await release();
      await removeRuntimeDirectory(installation.runtimeDirectory);
    },
  };
}

/** Starts each process when what it needs is ready, and returns when sandboxes can be made. */
async function startProcesses(
  { settings, installation, onStage, onNote }: ServiceOptions,
  deps: {
    definitions: ReturnType<typeof defineProcesses>;
    processes: ProcessSet;
    users: SystemUsers;
    databaseUrl: string;
    egressProxies: readonly { definition: ProcessDefinition; log: ProcessStreams["log"] }[];
    readAudit: NonNullable<ProcessStreams["readAudit"]>;
  },
): Promise<void> {
  const { definitions, processes, users, databaseUrl, egressProxies, readAudit } = deps;
  const signal = processes.ending;
  if (settings.DATABASE_URL === undefined) {
    const database = await preparePrivateDatabase({ installation, users, onStage, onNote });
    onStage("starting the database");
    await processes.start(database.definition);
    await database.untilAccepting(signal);
    const { dataDirectory } = installation;
    const kept = await carryOverEarlierDatabase({ dataDirectory, databaseUrl, onStage });
    if (kept !== undefined) {
      onNote(
        `The database of an earlier version is now in PostgreSQL. Its files are kept in ${kept}: remove them when the service works as before.`,
      );
    }
  }
  onStage("starting the worker");
  await processes.start(definitions.host);
  await untilListening(installation.hostSocket, signal);
  // The worker sets up the address at which the proxy listens.
  await processes.start(definitions.worker);
  await untilResponding(installation.workerSocket, signal);
  onStage("starting the egress proxy");
  for (const { definition, log } of egressProxies) {
    await processes.start(definition, { log, readAudit });
  }
  for (const index of egressProxies.keys()) {
    await untilResponding(installation.egressProxySocket(index), signal);
  }
  onStage("starting the control plane");
  await processes.start(definitions.controlPlane);
  if (settings.OPENCOMPUTER_METRICS_PORT !== undefined) {
    // It takes requests of the worker alone, so nothing scrapes it.
    processes.measure([definitions.host.name]);
  }
  await untilReady({ installation, apiOrigin: apiOrigin(settings), onStage, signal });
  processes.persist();
}

/** A line of a process log, in the form of the processes' own lines. */
function errorLine(message: string): string {
  const entry = { level: 50, time: new Date().toISOString(), name: "supervisor", msg: message };
  return `${JSON.stringify(entry)}\n`;
}
