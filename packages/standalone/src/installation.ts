import { dirname, join } from "node:path";
import type { InstallationRecord } from "./installation-record.ts";

/** `sun_path` of unix(7), less the terminating NUL. */
const socketPathBytesMax = 107;

/** Where one installation keeps its things. */
export interface Installation {
  /** 8 hexadecimal digits. */
  readonly id: string;
  readonly networkBlock: string;
  readonly dataDirectory: string;
  readonly logDirectory: string;
  /** The audit trail: files of each sandbox, apart from the logs of the processes. */
  readonly auditDirectory: string;
  /** What the control plane alone reads and writes: encryption key and first API key. */
  readonly controlPlaneDirectory: string;
  /** The private database: a cluster for each major of PostgreSQL, and its configuration. */
  readonly databaseDirectory: string;
  /** What the worker alone reads and writes, besides the sockets of its machines. */
  readonly workerDirectories: readonly string[];
  /** Directories of the sockets of machines, each its machine's and the worker's. */
  readonly machineSocketDirectory: string;
  /** Sockets live here; it is gone after a reboot. */
  readonly runtimeDirectory: string;
  /** Empty: a process mounts its own root here, out of sight of all others. */
  readonly rootMountPoint: string;
  /** The directories of these sockets decide who may connect. */
  readonly workerSocket: string;
  /** Of the process that acts on the host as root, for the worker alone. */
  readonly hostSocket: string;
  readonly egressProxySocket: string;
  readonly supervisorSocket: string;
  /** Holds the socket of the private database, whose name is PostgreSQL's. */
  readonly databaseSocketDirectory: string;
  /** Leads to the file of the control plane. */
  readonly apiKeyFile: string;
}

export function describeInstallation(
  dataDirectory: string,
  { id, networkBlock }: InstallationRecord,
): Installation {
  const runtimeDirectory = `/run/opencomputer-${id}`;
  const socket = (name: string) => {
    const path = join(runtimeDirectory, name);
    if (Buffer.byteLength(path) > socketPathBytesMax) {
      throw new RangeError(`Socket path ${path} is longer than ${socketPathBytesMax} bytes`);
    }
    return path;
  };
  return {
    id,
    networkBlock,
    dataDirectory,
    logDirectory: join(dataDirectory, "logs"),
    auditDirectory: join(dataDirectory, "audit"),
    controlPlaneDirectory: join(dataDirectory, "control-plane"),
    databaseDirectory: join(dataDirectory, "postgresql"),
    workerDirectories: ["worker", "golden", "images"].map((name) => join(dataDirectory, name)),
    runtimeDirectory,
    machineSocketDirectory: join(runtimeDirectory, "machines"),
    rootMountPoint: join(runtimeDirectory, "root"),
    workerSocket: socket("worker/worker.sock"),
    hostSocket: socket("host/host.sock"),
    egressProxySocket: socket("egress-proxy/egress-proxy.sock"),
    supervisorSocket: socket("supervisor.sock"),
    databaseSocketDirectory: dirname(socket("database/.s.PGSQL.5432")),
    apiKeyFile: join(dataDirectory, "api-key"),
  };
}
