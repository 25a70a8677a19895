import { open, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";

/** Role and database of the control plane. */
export const databaseName = "opencomputer";
/** Role of administration. */
export const administrator = "postgres";

/** Where PostgreSQL finds its configuration: files of root, which its own user cannot change. */
export interface ClusterFiles {
  readonly configuration: string;
  readonly access: string;
  readonly identities: string;
}

export function clusterFilesIn(directory: string): ClusterFiles {
  return {
    configuration: join(directory, "postgresql.conf"),
    access: join(directory, "pg_hba.conf"),
    identities: join(directory, "pg_ident.conf"),
  };
}

/** Writes the configuration anew; nothing of it is kept from an earlier start. */
export async function writeClusterFiles(
  files: ClusterFiles,
  {
    socketDirectory,
    controlPlaneUser,
    databaseUser,
  }: { socketDirectory: string; controlPlaneUser: string; databaseUser: string },
): Promise<void> {
  await replaceFile(files.configuration, configurationOf(socketDirectory));
  await replaceFile(
    files.access,
    [
      "# Who may connect: by the Unix socket alone, as the role that the map gives the system user.",
      `local ${databaseName} ${databaseName} peer map=opencomputer`,
      `local all ${administrator} peer map=opencomputer`,
      "",
    ].join("\n"),
  );
  await replaceFile(
    files.identities,
    [
      "# map, system user, role",
      ...[...new Set([controlPlaneUser, "root"])].map(
        (user) => `opencomputer ${user} ${databaseName}`,
      ),
      ...["root", databaseUser].map((user) => `opencomputer ${user} ${administrator}`),
      "",
    ].join("\n"),
  );
}

/** Sized for the control plane's pool of 16 connections, and for a host that runs machines. */
function configurationOf(socketDirectory: string): string {
  const settings: Record<string, string | number> = {
    listen_addresses: "''",
    unix_socket_directories: `'${socketDirectory.replaceAll("'", "''")}'`,
    max_connections: 32,
    fsync: "on",
    full_page_writes: "on",
    synchronous_commit: "on",
    shared_buffers: "16MB",
    work_mem: "2MB",
    maintenance_work_mem: "16MB",
    huge_pages: "off",
    // Its root has no /dev/shm.
    dynamic_shared_memory_type: "mmap",
    wal_level: "minimal",
    max_wal_senders: 0,
    max_wal_size: "128MB",
    min_wal_size: "32MB",
    max_worker_processes: 1,
    max_parallel_workers: 0,
    max_logical_replication_workers: 0,
    autovacuum_max_workers: 1,
    jit: "off",
    timezone: "'UTC'",
    datestyle: "'iso'",
    lc_messages: "'C'",
    log_timezone: "'UTC'",
    log_line_prefix: "'%m [%p] '",
    // Statements and details would bring rows into the log.
    log_min_error_statement: "panic",
    log_error_verbosity: "terse",
  };
  return `${Object.entries(settings)
    .map(([name, value]) => `${name} = ${value}`)
    .join("\n")}\n`;
}

async function replaceFile(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text, { mode: 0o644 });
  await rename(`${path}.new`, path);
  await syncDirectory(dirname(path));
}

/** Makes what was renamed in a directory outlast a power cut. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
