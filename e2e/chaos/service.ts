import { setTimeout as delay } from "node:timers/promises";
import {
  copyTemplate,
  type Internet,
  killSandboxes,
  listHostResources,
  listMachines,
  type RunningInstallation,
  readMachines,
  removeDataDirectory,
  startInstallation,
  startInternet,
} from "@opencomputer/harness";

export const host = "api.example.test";
export const parts = ["control-plane", "worker", "egress-proxy"] as const;
export type Part = (typeof parts)[number];

const pollMilliseconds = 50;
/** A part that ends within this time of its start is started again later each time. */
const steadyMilliseconds = 11_000;
/** Longer than the control plane may take a killed part for ready: it asks every second. */
const noticeMilliseconds = 1500;

/** An installation, an internet, and the ways to kill what runs. */
export interface ChaosService {
  readonly internet: Internet;
  installation(): RunningInstallation;
  connection(): { apiUrl: string; apiKey: string };
  /** SIGKILL to a part; false when it was killed lately, and would be started again late. */
  killPart(part: Part): Promise<boolean>;
  /** SIGKILL to the supervisor, with which its parts end. */
  killSupervisor(): Promise<void>;
  /** SIGKILL to a machine of the choice of `pick`; the sandbox that it may be of. */
  killMachine(
    pick: (pids: number[]) => number | undefined,
  ): Promise<{ sandboxId: string | undefined } | undefined>;
  /** Waits until all that was killed runs again; starts the supervisor when it has ended. */
  untilRecovered(): Promise<void>;
  /** Kills what still runs and stops everything. What is left on the host. */
  end(): Promise<string[]>;
}

export async function startChaosService(): Promise<ChaosService> {
  const internet = await startInternet({ hosts: [host] });
  const dataDirectory = await copyTemplate();
  const environment = {
    OPENCOMPUTER_EGRESS_HOSTS: internet.egressHosts,
    OPENCOMPUTER_EGRESS_CA_FILE: internet.caFile,
    OPENCOMPUTER_WARM_POOL_SIZE: "1",
  };
  let installation = await startInstallation({ dataDirectory, environment });
  const port = Number(new URL(installation.apiUrl).port);
  const killedAt = new Map<Part, number>();
  let isSupervised = true;

  return {
    internet,
    installation: () => installation,
    connection: () => ({ apiUrl: installation.apiUrl, apiKey: installation.apiKey }),

    async killPart(part) {
      if (Date.now() - (killedAt.get(part) ?? 0) < steadyMilliseconds) return false;
      const [pid] = await installation.pidsOf(part);
      if (pid === undefined) return false;
      killedAt.set(part, Date.now());
      killProcess(pid);
      return true;
    },

    async killSupervisor() {
      isSupervised = false;
      for (const pid of await installation.pidsOf("supervisor")) killProcess(pid);
    },

    async killMachine(pick) {
      const sandboxOf = new Map(
        [...(await readMachines(dataDirectory))].map(([sandboxId, { pid }]) => [pid, sandboxId]),
      );
      const pid = pick((await listMachines(installation)).sort());
      if (pid === undefined) return undefined;
      killProcess(pid);
      return { sandboxId: sandboxOf.get(pid) };
    },

    async untilRecovered() {
      if (!isSupervised) {
        for (const part of ["supervisor", ...parts] as const) {
          while ((await installation.pidsOf(part)).length > 0) await delay(pollMilliseconds);
        }
        installation = await startInstallation({ dataDirectory, environment, port });
        isSupervised = true;
        for (const part of parts) killedAt.set(part, Date.now());
      }
      const lastKill = Math.max(0, ...killedAt.values());
      await delay(Math.max(0, lastKill + noticeMilliseconds - Date.now()));
      for (const part of parts) {
        while ((await installation.pidsOf(part)).length === 0) await delay(pollMilliseconds);
      }
      await installation.untilReady();
    },

    async end() {
      try {
        const connection = { apiUrl: installation.apiUrl, apiKey: installation.apiKey };
        await killSandboxes(connection);
        await installation.stop();
        return await listHostResources(installation);
      } finally {
        await installation.stop();
        await internet.close();
        await removeDataDirectory(dataDirectory);
      }
    },
  };
}

function killProcess(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    // It has ended by itself meanwhile.
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}
