import { mkdir } from "node:fs/promises";
import { AuditTrail } from "./audit/audit-trail.ts";
import { carryOverFormerDatabase } from "./database/carry-over.ts";
import { databaseUrlOf } from "./database/database-url.ts";
import { preparePrivateDatabase } from "./database/private-database.ts";
import { holdRuntimeDirectory, removeRuntimeDirectory } from "./holder.ts";
import type { Installation } from "./installation.ts";
import { assertPortIsFree } from "./port-check.ts";
import { prepareDirectories } from "./prepare-directories.ts";
import { openProcessLog } from "./process-log.ts";
import { defineProcesses } from "./processes.ts";
import { assertProgramIsReadable } from "./program-files.ts";
import { isApiResponding, untilAnswering, untilListening, untilReady } from "./readiness.ts";
import type { ServeSettings } from "./settings.ts";
import { holdInstallation } from "./single-instance.ts";
import {
  type ProcessDefinition,
  type SupervisedProcess,
  type SuperviseOptions,
  superviseProcess,
} from "./supervised-process.ts";
import { ensureSystemUsers } from "./system-users.ts";

/** The whole service on one machine: database, worker, egress proxy and control plane. */
export interface Service {
  /** Resolves when sandboxes can be made; rejects when that cannot come to be. */
  readonly ready: Promise<void>;
  /**
   * Whether the API responds, or its process is about to be started again: what
   * that process lacks does not come by starting the whole service again.
   */
  isAlive(): Promise<boolean>;
  /** Stops every process, in the reverse order of their start. Sandboxes keep running. */
  stop(): Promise<void>;
}

/** Why the service cannot run, with the exit code for it. */
export class ServiceFailure extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number) {
    super(message);
    this.name = "ServiceFailure";
    this.exitCode = exitCode;
  }
}

export async function startService({
  settings,
  installation,
  environment,
  secrets,
  onStage,
  onNote,
}: {
  settings: ServeSettings;
  installation: Installation;
  environment: NodeJS.ProcessEnv;
  /** For the control plane alone. */
  secrets: Readonly<Record<string, string>>;
  onStage: (stage: string) => void;
  onNote: (text: string) => void;
}): Promise<Service> {
  const users = await ensureSystemUsers();
  await assertProgramIsReadable();
  await mkdir(installation.runtimeDirectory, { recursive: true, mode: 0o711 });
  const { dataDirectory, runtimeDirectory, networkBlock } = installation;
  const release = await holdInstallation(installation);
  try {
    await holdRuntimeDirectory(runtimeDirectory, dataDirectory);
  } catch (error) {
    await release();
    throw error;
  }
  await prepareDirectories(installation, users, {
    hasPresetApiKey: settings.OPENCOMPUTER_API_KEY !== undefined,
  });
  await assertPortIsFree(settings.OPENCOMPUTER_HOST, settings.OPENCOMPUTER_PORT);
  const databaseUrl = settings.DATABASE_URL ?? databaseUrlOf(installation.databaseSocketDirectory);
  const definitions = defineProcesses({
    settings,
    installation,
    networkBlock,
    environment,
    databaseUrl,
    secrets,
    users,
  });

  const ending = new AbortController();
  let hasBeenReady = false;
  const running: SupervisedProcess[] = [];
  const openLog = ({ name }: ProcessDefinition) =>
    openProcessLog({ directory: installation.logDirectory, name, onNote });
  const supervise = (
    definition: ProcessDefinition,
    options: Pick<SuperviseOptions, "log"> & Partial<Pick<SuperviseOptions, "readAudit">>,
  ) => {
    ending.signal.throwIfAborted();
    running.push(
      superviseProcess({
        definition,
        ...options,
        onNote,
        mayPersist: () => hasBeenReady,
        onGiveUp: (reason, exitCode) =>
          ending.abort(
            new ServiceFailure(
              `${reason}; see ${installation.logDirectory}/${definition.name}.log`,
              exitCode,
            ),
          ),
        onChange: reportState,
      }),
    );
    reportState();
  };
  const reportState = () => {
    const processes = running.map((supervised) => supervised.state());
    for (const supervised of running) {
      if (supervised.name === definitions.controlPlane.name) {
        supervised.send({ type: "service-state", processes });
      }
    }
  };

  const egressProxyLog = openLog(definitions.egressProxy);
  const auditTrail = await AuditTrail.open({
    directory: installation.auditDirectory,
    report(message) {
      onNote(message);
      egressProxyLog.write(errorLine(message));
    },
  });

  const startDatabase = async () => {
    const database = await preparePrivateDatabase({ installation, users, onStage, onNote });
    onStage("starting the database");
    supervise(database.definition, { log: openLog(database.definition) });
    await database.untilAccepting(ending.signal);
    const { dataDirectory } = installation;
    const kept = await carryOverFormerDatabase({ dataDirectory, databaseUrl, onStage });
    if (kept === undefined) return;
    onNote(
      `The database of a former version is now in PostgreSQL. Its files are kept in ${kept}: remove them when all is well.`,
    );
  };

  const start = async () => {
    if (settings.DATABASE_URL === undefined) await startDatabase();
    onStage("starting the worker");
    supervise(definitions.host, { log: openLog(definitions.host) });
    await untilListening(installation.hostSocket, ending.signal);
    // The worker has the address made that the proxy listens at.
    supervise(definitions.worker, { log: openLog(definitions.worker) });
    await untilAnswering(installation.workerSocket, ending.signal);
    onStage("starting the egress proxy");
    supervise(definitions.egressProxy, {
      log: egressProxyLog,
      readAudit: (stream) => auditTrail.read(stream),
    });
    await untilAnswering(installation.egressProxySocket, ending.signal);
    onStage("starting the control plane");
    supervise(definitions.controlPlane, { log: openLog(definitions.controlPlane) });
    await untilReady({
      installation,
      apiOrigin: apiOrigin(settings),
      onStage,
      signal: ending.signal,
    });
    hasBeenReady = true;
  };

  return {
    ready: start(),
    async isAlive() {
      const isRestarting = running.some(
        (supervised) =>
          supervised.name === definitions.controlPlane.name &&
          supervised.state().state === "restarting",
      );
      return isRestarting || isApiResponding(apiOrigin(settings));
    },
    async stop() {
      ending.abort(new Error("The service was stopped before it was ready"));
      for (const supervised of running.reverse()) await supervised.stop();
      await auditTrail.close();
      await release();
      await removeRuntimeDirectory(installation.runtimeDirectory);
    },
  };
}

/** A line of a process log, as the processes write theirs. */
function errorLine(message: string): string {
  const entry = { level: 50, time: new Date().toISOString(), name: "supervisor", msg: message };
  return `${JSON.stringify(entry)}\n`;
}

/** Where the API listens, as a URL. */
export function apiOrigin(settings: ServeSettings): string {
  const host = settings.OPENCOMPUTER_HOST.includes(":")
    ? `[${settings.OPENCOMPUTER_HOST}]`
    : settings.OPENCOMPUTER_HOST;
  return `http://${host}:${settings.OPENCOMPUTER_PORT}`;
}
