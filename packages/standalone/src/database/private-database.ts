import type { Installation } from "../installation/installation.ts";
import type { SystemUsers } from "../installation/system-users.ts";
import type { ProcessDefinition } from "../process/start-process.ts";
import { clusterFilesIn, databaseName, writeClusterFiles } from "./cluster-files.ts";
import { databaseCommand, noteworthyOfDatabase } from "./database-process.ts";
import { databaseEnvironment } from "./database-user.ts";
import { findInstalledPostgres } from "./installed-postgres.ts";
import { prepareCluster } from "./prepare-cluster.ts";
import { untilAccepting } from "./until-accepting.ts";

/** The installation's own PostgreSQL, ready to be supervised. */
export interface PrivateDatabase {
  readonly definition: ProcessDefinition;
  untilAccepting(signal: AbortSignal): Promise<void>;
}

/** Creates or upgrades the cluster, so that its server can run. */
export async function preparePrivateDatabase({
  installation,
  users,
  onStage,
  onNote,
}: {
  installation: Installation;
  users: SystemUsers;
  onStage: (stage: string) => void;
  onNote: (text: string) => void;
}): Promise<PrivateDatabase> {
  const { databaseDirectory: directory, databaseSocketDirectory: socketDirectory } = installation;
  const confinement = {
    user: users.database,
    mountPoint: installation.rootMountPoint,
    writablePaths: [directory, socketDirectory],
  };
  const files = clusterFilesIn(directory);
  await writeClusterFiles(files, {
    controlPlaneUser: users.controlPlane.name,
    databaseUser: users.database.name,
  });
  const cluster = await prepareCluster(
    { directory, confinement },
    { files, installed: await findInstalledPostgres(), onStage, onNote },
  );
  return {
    definition: {
      name: "database",
      command: databaseCommand(cluster, { files, socketDirectory }),
      environment: databaseEnvironment,
      confinement: { ...confinement, capabilities: [], readOnlyPaths: [], copiedFiles: [] },
      hasChannel: false,
      stopSignal: "SIGINT",
      noteworthy: noteworthyOfDatabase,
    },
    untilAccepting: (signal) => untilAccepting(cluster.postgres, socketDirectory, signal),
  };
}

/** The `DATABASE_URL` of the private cluster. */
export function databaseUrlOf(socketDirectory: string): string {
  const query = new URLSearchParams({ host: socketDirectory, user: databaseName });
  return `postgresql:///${databaseName}?${query}`;
}
