import { dirname } from "node:path";
import {
  egressPortsOf,
  egressProxyName,
  type NodeProcess,
  refusalLogGroup,
} from "@opencomputer/protocol/wire";
import { inspectorOptions } from "./development/inspector.ts";
import type { Installation } from "./installation/installation.ts";
import { egressAddressOf } from "./installation/network-block.ts";
import {
  guestImageDirectory,
  mainFileOf,
  nodeOptionsOf,
  programPaths,
} from "./installation/program-files.ts";
import type { SystemUsers } from "./installation/system-users.ts";
import type { Confinement } from "./process/confinement.ts";
import { refusalDescriptor, streamDescriptor } from "./process/guest-sockets.ts";
import {
  auditDescriptor,
  type ProcessDefinition,
  secretsDescriptor,
} from "./process/start-process.ts";
import {
  databaseUrlPaths,
  type ServeSettings,
  secretSettingNames,
  traceSettingNames,
} from "./serve-settings.ts";

/** Lower ports need a capability: ip(7). */
const unprivilegedPortMin = 1024;

/**
 * Defines the processes, each with its own variables, files and sockets, and no
 * others: the worker never sees the encryption key, nor the proxy the database.
 */
export function defineProcesses({
  settings,
  installation,
  environment,
  databaseUrl,
  secrets,
  users,
}: {
  settings: ServeSettings;
  installation: Installation;
  environment: NodeJS.ProcessEnv;
  databaseUrl: string;
  secrets: Readonly<Record<string, string>>;
  users: SystemUsers;
}): {
  host: ProcessDefinition;
  worker: ProcessDefinition;
  /** One or several, in the order of their indexes. */
  egressProxies: readonly ProcessDefinition[];
  controlPlane: ProcessDefinition;
} {
  const nodeCommand = (name: NodeProcess, { mayBeInspected = true } = {}) => [
    process.execPath,
    ...nodeOptionsOf(name),
    ...(mayBeInspected ? inspectorOptions(name, settings.OPENCOMPUTER_INSPECT) : []),
    mainFileOf(name),
  ];
  const pass = (names: readonly string[]) =>
    pick(environment, ["PATH", "LANG", "TZ", "OPENCOMPUTER_LOG_LEVEL", ...names]);
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
  const egressProxyIndexes = Array.from(
    { length: settings.OPENCOMPUTER_EGRESS_PROXY_PROCESSES },
    (_, index) => index,
  );
  const egressProxySockets = egressProxyIndexes.map(installation.egressProxySocket);
  const databasePaths = databaseUrlPaths(databaseUrl);
  const ports = [settings.OPENCOMPUTER_PORT, settings.OPENCOMPUTER_METRICS_PORT ?? Infinity];
  const receiverFiles = [
    settings.OTEL_EXPORTER_OTLP_CERTIFICATE,
    settings.OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE,
  ].filter((path) => path !== undefined);
  const egressFiles = [
    settings.OPENCOMPUTER_EGRESS_CA_FILE,
    settings.OPENCOMPUTER_EGRESS_RESOLV_CONF,
  ].filter((path) => path !== undefined);
  return {
    host: {
      name: "host",
      command: nodeCommand("host"),
      environment: {
        ...pass([
          "OPENCOMPUTER_ALLOW_UNLIMITED",
          "OPENCOMPUTER_EGRESS_DENY",
          "OPENCOMPUTER_EGRESS_PROXY_PROCESSES",
        ]),
        OPENCOMPUTER_DATA_DIR: installation.dataDirectory,
        OPENCOMPUTER_HOST_SOCKET: installation.hostSocket,
        OPENCOMPUTER_RUNTIME_DIR: installation.runtimeDirectory,
        OPENCOMPUTER_INSTALLATION_ID: installation.id,
        OPENCOMPUTER_NETWORK_BLOCK: installation.networkBlock,
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
        copiedFiles: receiverFiles,
        // It watches the processes of its machines.
        seesProcesses: true,
      }),
      secrets: pick(secrets, secretSettingNames.worker),
      environment: {
        ...pass(["OPENCOMPUTER_ACCEL", "OPENCOMPUTER_WARM_POOL_SIZE", ...traceSettingNames]),
        OPENCOMPUTER_SECRETS_DESCRIPTOR: String(secretsDescriptor),
        OPENCOMPUTER_HOST_SOCKET: installation.hostSocket,
        OPENCOMPUTER_DATA_DIR: installation.dataDirectory,
        OPENCOMPUTER_WORKER_SOCKET: installation.workerSocket,
        OPENCOMPUTER_RUNTIME_DIR: installation.runtimeDirectory,
        OPENCOMPUTER_INSTALLATION_ID: installation.id,
        OPENCOMPUTER_NETWORK_BLOCK: installation.networkBlock,
        OPENCOMPUTER_GUEST_IMAGE_DIR: guestImageDirectory,
      },
    },
    egressProxies: egressProxyIndexes.map((index) => ({
      name: egressProxyName(index),
      // There is one port for it: of several, the first is debugged.
      command: nodeCommand("egress-proxy", {
        mayBeInspected: index === 0,
      }),
      confinement: confine({
        user: users.egressProxy,
        writablePaths: [dirname(installation.egressProxySocket(index))],
        copiedFiles: egressFiles,
      }),
      secrets: pick(secrets, secretSettingNames.egressProxy),
      environment: {
        ...pass([
          "OPENCOMPUTER_EGRESS_HOSTS",
          "OPENCOMPUTER_EGRESS_DENY",
          "OPENCOMPUTER_EGRESS_CA_FILE",
          "OPENCOMPUTER_EGRESS_NO_PROXY",
          "OPENCOMPUTER_EGRESS_RESOLV_CONF",
        ]),
        OPENCOMPUTER_SECRETS_DESCRIPTOR: String(secretsDescriptor),
        OPENCOMPUTER_EGRESS_PROXY_INDEX: String(index),
        OPENCOMPUTER_EGRESS_PROXY_SOCKET: installation.egressProxySocket(index),
        OPENCOMPUTER_EGRESS_ADDRESS: egressAddressOf(installation.networkBlock),
        OPENCOMPUTER_EGRESS_AUDIT_DESCRIPTOR: String(auditDescriptor),
        OPENCOMPUTER_EGRESS_STREAM_DESCRIPTOR: String(streamDescriptor),
        OPENCOMPUTER_EGRESS_REFUSAL_DESCRIPTOR: String(refusalDescriptor),
      },
      guestSockets: {
        address: egressAddressOf(installation.networkBlock),
        port: egressPortsOf(index).streams,
        logGroup: refusalLogGroup(installation.id, index),
      },
    })),
    controlPlane: {
      name: "control-plane",
      command: nodeCommand("control-plane"),
      confinement: confine({
        user: users.controlPlane,
        capabilities: ports.some((port) => port < unprivilegedPortMin) ? ["net_bind_service"] : [],
        readOnlyPaths: [
          workerSocketDirectory,
          ...egressProxySockets.map(dirname),
          ...databasePaths.directories,
        ],
        writablePaths: [installation.controlPlaneDirectory],
        copiedFiles: [...databasePaths.files, ...receiverFiles],
      }),
      secrets: { ...pick(secrets, secretSettingNames.controlPlane), DATABASE_URL: databaseUrl },
      environment: {
        ...pass([
          ...traceSettingNames,
          "OPENCOMPUTER_METRICS_PORT",
          "OPENCOMPUTER_SANDBOXES_PER_ORG_MAX",
          "OPENCOMPUTER_DISK_MB_PER_ORG_MAX",
          "OPENCOMPUTER_SANDBOXES_PER_KEY_MAX",
          "OPENCOMPUTER_EGRESS_LOG_DAYS_MAX",
          "OPENCOMPUTER_REQUESTS_PER_SECOND_MAX",
          "OPENCOMPUTER_EVENTS_DAYS_MAX",
          "OPENCOMPUTER_EVENTS_PER_ORG_MAX",
          "OPENCOMPUTER_WEBHOOK_ADDRESSES",
          "OPENCOMPUTER_API_BODY_BYTES_MAX",
          "OPENCOMPUTER_API_HEADER_BYTES_MAX",
          "OPENCOMPUTER_PUBLIC_URL",
          "OPENCOMPUTER_ALLOWED_HOSTS",
          "OPENCOMPUTER_CORS_ORIGINS",
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
        OPENCOMPUTER_EGRESS_PROXY_SOCKETS: egressProxySockets.join(","),
      },
    },
  };
}

function pick(
  environment: Readonly<Record<string, string | undefined>>,
  names: readonly string[],
): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = environment[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}
