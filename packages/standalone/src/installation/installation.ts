import { dirname, join } from "node:path";
import { egressProxyName } from "@opencomputer/protocol/wire";
import type { InstallationRecord } from "./installation-record.ts";

/** `sun_path` of unix(7), less the terminating NUL. */
const socketPathBytesMax = 107;

/** The paths of one installation. */
export interface Installation {
  /** 8 hexadecimal digits. */
  readonly id: string;
  readonly networkBlock: string;
  readonly dataDirectory: string;
  readonly logDirectory: string;
  /** The audit trail: files of each sandbox, apart from the logs of the processes. */
  readonly auditDirectory: string;
  /** Only for the control plane: encryption key and first API key. */
  readonly controlPlaneDirectory: string;
  /** The private database: a cluster for each major of PostgreSQL, and its configuration. */
  readonly databaseDirectory: string;
  /** Only for the worker, besides the sockets of its machines. */
  readonly workerDirectories: readonly string[];
  /** Has a directory of sockets for each machine, which the machine and the worker may enter. */
  readonly machineSocketDirectory: string;
  /** Holds the sockets. A reboot removes it. */
  readonly runtimeDirectory: string;
  /** Empty: each process mounts its own root here, which no other process sees. */
  readonly rootMountPoint: string;
  /** The permissions of its directory decide who may connect, as for the sockets below. */
  readonly workerSocket: string;
  /** The socket of the process that acts on the host as root; only the worker may connect. */
  readonly hostSocket: string;
  /** The control socket of the egress proxy with an index, from 0. Each is in a separate directory. */
  egressProxySocket(index: number): string;
  readonly supervisorSocket: string;
  /** Holds the socket of the private database, whose name is PostgreSQL's. */
  readonly databaseSocketDirectory: string;
  /** A link to the file in the control plane's directory. */
  readonly apiKeyFile: string;
}

/** Derives every path of an installation from its data directory and record. */
export function describeInstallation(
  dataDirectory: string,
  { id, networkBlock }: InstallationRecord,
): Installation {
  const runtimeDirectory = `/run/opencomputer-${id}`;
  const socket = (name: string) => {
    const path = join(runtimeDirectory, name);
    if (Buffer.byteLength(path) > socketPathBytesMax) {
      throw new RangeError(
        `Socket path ${path} must be at most ${socketPathBytesMax} bytes long: it has ${Buffer.byteLength(path)}`,
      );
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
    egressProxySocket: (index) => socket(`${egressProxyName(index)}/egress-proxy.sock`),
    supervisorSocket: socket("supervisor.sock"),
    databaseSocketDirectory: dirname(socket("database/.s.PGSQL.5432")),
    apiKeyFile: join(dataDirectory, "api-key"),
  };
}
