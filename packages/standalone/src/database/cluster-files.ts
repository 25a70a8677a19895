import { rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { syncPath } from "../installation/file-access.ts";

/** Role and database of the control plane. */
export const databaseName = "opencomputer";
/** Role that administers the cluster. */
export const administrator = "postgres";

/** The files that PostgreSQL reads instead of those in its cluster. They are root's: its own user cannot change them. */
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

/** Writes the configuration again at each start; nothing of an earlier one is kept. */
export async function writeClusterFiles(
  files: ClusterFiles,
  { controlPlaneUser, databaseUser }: { controlPlaneUser: string; databaseUser: string },
): Promise<void> {
  await replaceFile(
    files.configuration,
    "# The settings are on the server's command line, which overrides every file.\n",
  );
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

async function replaceFile(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text, { mode: 0o644 });
  await rename(`${path}.new`, path);
  await syncPath(dirname(path));
}
