import { createHash } from "node:crypto";
import { chmod, mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";

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
  /** Sockets live here; it is gone after a reboot. */
  readonly runtimeDirectory: string;
  readonly workerSocket: string;
  readonly egressProxySocket: string;
  readonly supervisorSocket: string;
  readonly apiKeyFile: string;
}

export function describeInstallation(dataDirectory: string): Installation {
  const id = createHash("sha256").update(dataDirectory).digest("hex").slice(0, 8);
  const runtimeDirectory = `/run/opencomputer-${id}`;
  const socket = (name: string) => {
    const path = join(runtimeDirectory, `${name}.sock`);
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
    runtimeDirectory,
    workerSocket: socket("worker"),
    egressProxySocket: socket("egress-proxy"),
    supervisorSocket: socket("supervisor"),
    apiKeyFile: join(dataDirectory, "api-key"),
  };
}

/** Makes the directories: the data is for root alone, sockets too. */
export async function makeDirectories(installation: Installation): Promise<void> {
  for (const directory of [
    installation.dataDirectory,
    installation.logDirectory,
    installation.runtimeDirectory,
  ]) {
    await mkdir(directory, { recursive: true, mode: 0o700 });
  }
  await chmod(installation.runtimeDirectory, 0o700);
}

/** Takes the runtime directory away, unless machines that run on have their sockets there. */
export async function removeRuntimeDirectory(installation: Installation): Promise<void> {
  const { runtimeDirectory } = installation;
  const entries = await readdir(runtimeDirectory, { withFileTypes: true, recursive: true });
  if (entries.every((entry) => entry.isDirectory()))
    await rm(runtimeDirectory, { recursive: true });
}
