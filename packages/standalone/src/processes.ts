import { dirname } from "node:path";
import type { Confinement } from "./confinement.ts";
import { databaseUrlPaths } from "./database-url-paths.ts";
import type { Installation } from "./installation.ts";
import { egressAddressOf } from "./network-block.ts";
import { guestImageDirectory, hostMainFile, mainFileOf, programPaths } from "./program-files.ts";
import type { ServeSettings } from "./settings.ts";
import {
  auditDescriptor,
  type ProcessDefinition,
  secretsDescriptor,
} from "./supervised-process.ts";
import type { SystemUsers } from "./system-users.ts";

/** Lower ones need a capability: ip(7). */
const unprivilegedPortMin = 1024;

/**
 * The processes in the order of their start, each with its own variables,
 * files and sockets, and no others: the worker never sees the encryption key,
 * nor the proxy the database.
 */
export function defineProcesses({
  settings,
  installation,
  networkBlock,
  environment,
  databaseUrl,
  secrets,
  users,
}: {
  settings: ServeSettings;
  installation: Installation;
  networkBlock: string;
  environment: NodeJS.ProcessEnv;
  databaseUrl: string;
  secrets: Readonly<Record<string, string>>;
  users: SystemUsers;
}): {
  host: ProcessDefinition;
  worker: ProcessDefinition;
  egressProxy: ProcessDefinition;
  controlPlane: ProcessDefinition;
} {
  const pass = (names: readonly string[]) => pick(environment, ["PATH", "LANG", "TZ", ...names]);
  const confine = (
    own: Pick<Confinement, "user"> & Partial<Omit<Confinement, "mountPoint">>,
  ): Confinement => ({
    capabilities: [],
    writablePaths: [],
    copiedFiles: [],
    ...own,
    mountPoint: installation.rootMountPoint,
    readOnlyPaths: [...programPaths, ...(own.readOnlyPaths ?? [])],
  });
  const workerSocketDirectory = dirname(installation.workerSocket);
  const egressProxySocketDirectory = dirname(installation.egressProxySocket);
  const databasePaths = databaseUrlPaths(databaseUrl);
  const caFile = settings.OPENCOMPUTER_EGRESS_CA_FILE;
  return {
    host: {
      name: "host",
      command: [process.execPath, "--enable-source-maps", hostMainFile],
      environment: {
        ...pass(["OPENCOMPUTER_ALLOW_UNLIMITED", "OPENCOMPUTER_EGRESS_DENY"]),
        OPENCOMPUTER_DATA_DIR: installation.dataDirectory,
        OPENCOMPUTER_HOST_SOCKET: installation.hostSocket,
        OPENCOMPUTER_RUNTIME_DIR: installation.runtimeDirectory,
        OPENCOMPUTER_INSTALLATION_ID: installation.id,
        OPENCOMPUTER_NETWORK_BLOCK: networkBlock,
        OPENCOMPUTER_WORKER_USER_ID: String(users.worker.userId),
        OPENCOMPUTER_WORKER_GROUP_ID: String(users.worker.groupId),
      },
    },
    worker: {
      name: "worker",
      command: nodeCommand("worker"),
      confinement: confine({
        user: users.worker,
        readOnlyPaths: [guestImageDirectory, dirname(installation.hostSocket)],
        writablePaths: [
          ...installation.workerDirectories,
          installation.machineSocketDirectory,
          workerSocketDirectory,
        ],
        // It watches those of its machines.
        seesProcesses: true,
      }),
      environment: {
        ...pass(["OPENCOMPUTER_ACCEL", "OPENCOMPUTER_WARM_POOL_SIZE"]),
        OPENCOMPUTER_HOST_SOCKET: installation.hostSocket,
        OPENCOMPUTER_DATA_DIR: installation.dataDirectory,
        OPENCOMPUTER_WORKER_SOCKET: installation.workerSocket,
        OPENCOMPUTER_RUNTIME_DIR: installation.runtimeDirectory,
        OPENCOMPUTER_INSTALLATION_ID: installation.id,
        OPENCOMPUTER_NETWORK_BLOCK: networkBlock,
        OPENCOMPUTER_GUEST_IMAGE_DIR: guestImageDirectory,
      },
    },
    egressProxy: {
      name: "egress-proxy",
      command: nodeCommand("egress-proxy"),
      confinement: confine({
        user: users.egressProxy,
        writablePaths: [egressProxySocketDirectory],
        copiedFiles: caFile === undefined ? [] : [caFile],
      }),
      environment: {
        ...pass([
          "OPENCOMPUTER_EGRESS_HOSTS",
          "OPENCOMPUTER_EGRESS_DENY",
          "OPENCOMPUTER_EGRESS_CA_FILE",
        ]),
        OPENCOMPUTER_EGRESS_PROXY_SOCKET: installation.egressProxySocket,
        OPENCOMPUTER_EGRESS_ADDRESS: egressAddressOf(networkBlock),
        OPENCOMPUTER_EGRESS_AUDIT_DESCRIPTOR: String(auditDescriptor),
      },
    },
    controlPlane: {
      name: "control-plane",
      command: nodeCommand("control-plane"),
      confinement: confine({
        user: users.controlPlane,
        capabilities: settings.OPENCOMPUTER_PORT < unprivilegedPortMin ? ["net_bind_service"] : [],
        readOnlyPaths: [
          workerSocketDirectory,
          egressProxySocketDirectory,
          ...databasePaths.directories,
        ],
        writablePaths: [installation.controlPlaneDirectory],
        copiedFiles: databasePaths.files,
      }),
      secrets: { ...secrets, DATABASE_URL: databaseUrl },
      environment: {
        ...pass([
          "OPENCOMPUTER_SANDBOXES_PER_ORG_MAX",
          "OPENCOMPUTER_DISK_MB_PER_ORG_MAX",
          "OPENCOMPUTER_SANDBOXES_PER_KEY_MAX",
          "OPENCOMPUTER_REQUESTS_PER_SECOND_MAX",
          "OPENCOMPUTER_API_BODY_BYTES_MAX",
          "OPENCOMPUTER_API_HEADER_BYTES_MAX",
          "OPENCOMPUTER_PUBLIC_URL",
          "OPENCOMPUTER_ALLOWED_HOSTS",
          "OPENCOMPUTER_TRUST_FORWARDED",
          "OPENCOMPUTER_SUBSTITUTE_IN",
          "OPENCOMPUTER_APT_MIRROR",
          "OPENCOMPUTER_PIP_INDEX_URL",
          "OPENCOMPUTER_BUILD_PROXY",
        ]),
        OPENCOMPUTER_DATA_DIR: installation.controlPlaneDirectory,
        OPENCOMPUTER_SECRETS_DESCRIPTOR: String(secretsDescriptor),
        OPENCOMPUTER_HOST: settings.OPENCOMPUTER_HOST,
        OPENCOMPUTER_PORT: String(settings.OPENCOMPUTER_PORT),
        OPENCOMPUTER_SANDBOX_DOMAIN: settings.OPENCOMPUTER_SANDBOX_DOMAIN,
        OPENCOMPUTER_WORKER_SOCKET: installation.workerSocket,
        OPENCOMPUTER_EGRESS_PROXY_SOCKET: installation.egressProxySocket,
      },
    },
  };
}

function nodeCommand(name: string): string[] {
  return [process.execPath, "--enable-source-maps", mainFileOf(name)];
}

function pick(environment: NodeJS.ProcessEnv, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = environment[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}
