import { type Installation, makeDirectories, removeRuntimeDirectory } from "./installation.ts";
import { loadNetworkBlock } from "./network-block.ts";
import { assertPortIsFree } from "./port-check.ts";
import { openProcessLog } from "./process-log.ts";
import { defineProcesses } from "./processes.ts";
import { untilAnswering, untilReady } from "./readiness.ts";
import type { ServeSettings } from "./settings.ts";
import { holdInstallation } from "./single-instance.ts";
import {
  type ProcessDefinition,
  type SupervisedProcess,
  superviseProcess,
} from "./supervised-process.ts";

/** The whole service on one machine: worker, egress proxy and control plane. */
export interface Service {
  /** Resolves when sandboxes can be made; rejects when that cannot come to be. */
  readonly ready: Promise<void>;
  /** Stops every process, in the reverse order of their start. Sandboxes keep running. */
  stop(): Promise<void>;
}

export async function startService({
  settings,
  installation,
  environment,
  onStage,
  onNote,
}: {
  settings: ServeSettings;
  installation: Installation;
  environment: NodeJS.ProcessEnv;
  onStage: (stage: string) => void;
  onNote: (text: string) => void;
}): Promise<Service> {
  await makeDirectories(installation);
  const release = await holdInstallation(installation.supervisorSocket);
  await assertPortIsFree(settings.OPENCOMPUTER_HOST, settings.OPENCOMPUTER_PORT);
  const networkBlock = await loadNetworkBlock(installation);
  const definitions = defineProcesses({ settings, installation, networkBlock, environment });

  const ending = new AbortController();
  const running: SupervisedProcess[] = [];
  const supervise = (definition: ProcessDefinition) => {
    ending.signal.throwIfAborted();
    running.push(
      superviseProcess({
        definition,
        log: openProcessLog(installation.logDirectory, definition.name),
        onNote,
        onGiveUp: (reason) =>
          ending.abort(
            new Error(`${reason}; see ${installation.logDirectory}/${definition.name}.log`),
          ),
      }),
    );
  };

  const start = async () => {
    // The worker makes the address that the proxy listens at.
    onStage("starting the worker");
    supervise(definitions.worker);
    await untilAnswering(installation.workerSocket, ending.signal);
    onStage("starting the egress proxy");
    supervise(definitions.egressProxy);
    await untilAnswering(installation.egressProxySocket, ending.signal);
    onStage("starting the control plane");
    supervise(definitions.controlPlane);
    await untilReady({
      installation,
      apiOrigin: apiOrigin(settings),
      onStage,
      signal: ending.signal,
    });
  };

  return {
    ready: start(),
    async stop() {
      ending.abort(new Error("The service was stopped before it was ready"));
      for (const supervised of running.reverse()) await supervised.stop();
      await release();
      await removeRuntimeDirectory(installation);
    },
  };
}

/** Where the API listens, as a URL. */
export function apiOrigin(settings: ServeSettings): string {
  const host = settings.OPENCOMPUTER_HOST.includes(":")
    ? `[${settings.OPENCOMPUTER_HOST}]`
    : settings.OPENCOMPUTER_HOST;
  return `http://${host}:${settings.OPENCOMPUTER_PORT}`;
}
