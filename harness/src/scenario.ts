import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { type CreateSandboxOptions, Sandbox, SecretStore } from "@opencomputer/sdk";
import { killSandboxes } from "./clear-org.ts";
import { listHostResources } from "./host-resources.ts";
import { type RunningInstallation, startInstallation } from "./installation.ts";
import { type Internet, type InternetOptions, startInternet } from "./internet.ts";
import { mountSmallDisk, type SmallDisk } from "./small-disk.ts";
import { copyTemplate, removeDataDirectory } from "./template.ts";

/** A real installation with an internet of its own, for one test file. */
export interface Scenario {
  readonly installation: RunningInstallation;
  readonly internet: Internet;
  /** What the worker writes to, when the scenario was started with `workerDiskBytes`. */
  readonly workerDisk: SmallDisk | undefined;
  /** What the audit trail is written to, when the scenario was started with `auditDiskBytes`. */
  readonly auditDisk: SmallDisk | undefined;
  /** Options of the SDK for this installation. */
  readonly connection: { apiUrl: string; apiKey: string };
  /** A new store with these secrets; its name. A plain string is a secret for every allowed host. */
  createStore(options: {
    egressAllowlist?: string[];
    secrets?: Record<string, string | { value: string; allowedHosts: string[] }>;
  }): Promise<{ id: string; name: string }>;
  createSandbox(options?: CreateSandboxOptions): Promise<Sandbox>;
  /**
   * Kills what still runs and stops the installation. Returns what is left on
   * the host, which a test expects to be empty.
   */
  end(): Promise<string[]>;
}

/** What an installation of its own has besides the internet around it. */
export interface ScenarioOptions extends InternetOptions {
  /** Settings, besides those of the internet. */
  environment?: Record<string, string>;
  /** Gives the worker's files a disk of their own, of this size. */
  workerDiskBytes?: number;
  /** Gives the audit trail a disk of its own, of this size. */
  auditDiskBytes?: number;
  /** Whether images and golden snapshots are hard links to those of other tests. */
  sharesImages?: boolean;
}

export async function startScenario({
  environment = {},
  workerDiskBytes,
  auditDiskBytes,
  sharesImages = true,
  ...internetOptions
}: ScenarioOptions = {}): Promise<Scenario> {
  const internet = await startInternet(internetOptions);
  const dataDirectory = await copyTemplate({ sharesImages });
  const diskOf = async (part: string, sizeBytes: number | undefined) =>
    sizeBytes === undefined
      ? undefined
      : await mountSmallDisk(join(dataDirectory, part), sizeBytes);
  const workerDisk = await diskOf("worker", workerDiskBytes);
  const auditDisk = await diskOf("audit", auditDiskBytes);
  const release = async () => {
    await internet.close();
    for (const disk of [workerDisk, auditDisk]) await disk?.unmount();
    await removeDataDirectory(dataDirectory);
  };
  const { OPENCOMPUTER_EGRESS_HOSTS: moreHosts, ...settings } = environment;
  const installation = await startInstallation({
    dataDirectory,
    environment: {
      OPENCOMPUTER_EGRESS_HOSTS: [internet.egressHosts, moreHosts].filter(Boolean).join(","),
      OPENCOMPUTER_EGRESS_CA_FILE: internet.caFile,
      // One warm machine less to make for each of many installations.
      OPENCOMPUTER_WARM_POOL_SIZE: "1",
      ...settings,
    },
  }).catch(async (error: unknown) => {
    await release();
    throw error;
  });
  const connection = { apiUrl: installation.apiUrl, apiKey: installation.apiKey };

  return {
    installation,
    internet,
    workerDisk,
    auditDisk,
    connection,
    async createStore({ egressAllowlist = [], secrets = {} }) {
      const name = `store-${randomBytes(4).toString("hex")}`;
      const store = await SecretStore.create({ ...connection, name, egressAllowlist });
      for (const [secretName, secret] of Object.entries(secrets)) {
        const { value, allowedHosts } =
          typeof secret === "string" ? { value: secret, allowedHosts: undefined } : secret;
        await SecretStore.setSecret(store.id, secretName, value, {
          ...connection,
          ...(allowedHosts === undefined ? {} : { allowedHosts }),
        });
      }
      return { id: store.id, name };
    },
    createSandbox: (options = {}) => Sandbox.create({ ...connection, timeout: 0, ...options }),
    async end() {
      try {
        await killSandboxes(connection);
        await installation.stop();
        return await listHostResources(installation);
      } finally {
        await installation.stop();
        await release();
      }
    },
  };
}
