import { createHash } from "node:crypto";
import { readdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";

/** `sun_path` of unix(7), less the terminating NUL. */
const socketPathBytesMax = 107;

/**
 * Where one installation keeps its things. The id follows from the data
 * directory, so that two installations on a host never share a name.
 */
export interface Installation {
  /** 8 hexadecimal digits. */
  readonly id: string;
  readonly dataDirectory: string;
  readonly logDirectory: string;
  /** The audit trail: files of each sandbox, apart from the logs of the processes. */
  readonly auditDirectory: string;
  /** What the control plane alone reads and writes: encryption key and first API key. */
  readonly controlPlaneDirectory: string;
  /** The private database: a cluster for each major of PostgreSQL, and its configuration. */
  readonly databaseDirectory: string;
  /** Sockets live here; it is gone after a reboot. */
  readonly runtimeDirectory: string;
  /** Empty: a process mounts its own root here, out of sight of all others. */
  readonly rootMountPoint: string;
  /** The directories of these sockets decide who may connect. */
  readonly workerSocket: string;
  readonly egressProxySocket: string;
  readonly supervisorSocket: string;
  /** Holds the socket of the private database, whose name is PostgreSQL's. */
  readonly databaseSocketDirectory: string;
  /** Leads to the file of the control plane. */
  readonly apiKeyFile: string;
}

export function describeInstallation(dataDirectory: string): Installation {
  const id = createHash("sha256").update(dataDirectory).digest("hex").slice(0, 8);
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
    dataDirectory,
    logDirectory: join(dataDirectory, "logs"),
    auditDirectory: join(dataDirectory, "audit"),
    controlPlaneDirectory: join(dataDirectory, "control-plane"),
    databaseDirectory: join(dataDirectory, "postgresql"),
    runtimeDirectory,
    rootMountPoint: join(runtimeDirectory, "root"),
    workerSocket: socket("worker/worker.sock"),
    egressProxySocket: socket("egress-proxy/egress-proxy.sock"),
    supervisorSocket: socket("supervisor.sock"),
    databaseSocketDirectory: dirname(socket("database/.s.PGSQL.5432")),
    apiKeyFile: join(dataDirectory, "api-key"),
  };
}

/** Takes the runtime directory away, unless machines that run on have their sockets there. */
export async function removeRuntimeDirectory(installation: Installation): Promise<void> {
  const { runtimeDirectory } = installation;
  const entries = await readdir(runtimeDirectory, { withFileTypes: true, recursive: true });
  if (entries.every((entry) => entry.isDirectory()))
    await rm(runtimeDirectory, { recursive: true });
}
