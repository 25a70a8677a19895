import { chown, mkdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { syncPath } from "../installation/file-access.ts";
import { administrator, databaseName } from "./cluster-files.ts";
import { type DatabaseConfinement, runAsDatabaseUser } from "./database-user.ts";
import type { InstalledPostgres } from "./installed-postgres.ts";
import { removeUnfinished } from "./remove-unfinished.ts";

/** Where clusters are, and how the programs that change them are confined. */
export interface ClusterPlace {
  /** Holds a directory for each major. */
  readonly directory: string;
  readonly confinement: DatabaseConfinement;
}

/** Makes the cluster with the role and the database of the control plane. It has its name only when it is complete. */
export async function createCluster(place: ClusterPlace, postgres: InstalledPostgres) {
  const unfinished = await initializeCluster(place, postgres);
  await runAsDatabaseUser(
    place.confinement,
    [join(postgres.binaryDirectory, "postgres"), "--single", "-D", unfinished, administrator],
    {
      input: [
        `create role ${databaseName} login`,
        `create database ${databaseName} owner ${databaseName}`,
        `revoke connect on database ${databaseName} from public`,
        "",
      ].join("\n"),
    },
  );
  await finishCluster(place, postgres);
}

/** Makes an empty cluster, under a name that no start takes for a complete one. */
export async function initializeCluster(
  { directory, confinement }: ClusterPlace,
  { major, binaryDirectory }: InstalledPostgres,
): Promise<string> {
  const unfinished = unfinishedIn(directory, major);
  await removeUnfinished(confinement, unfinished);
  await mkdir(unfinished, { mode: 0o700 });
  await chown(unfinished, confinement.user.userId, confinement.user.groupId);
  await runAsDatabaseUser(confinement, [
    ...[join(binaryDirectory, "initdb"), "-D", unfinished, `--username=${administrator}`],
    ...["--encoding=UTF8", "--locale=C.UTF-8", "--locale-provider=libc", "--data-checksums"],
    // The server reads the configuration beside the cluster; the cluster's own refuses every connection.
    ...["--auth-local=reject", "--auth-host=reject"],
  ]);
  return unfinished;
}

/** Gives a complete cluster its name. */
export async function finishCluster(
  { directory }: Pick<ClusterPlace, "directory">,
  { major }: InstalledPostgres,
): Promise<void> {
  await rename(unfinishedIn(directory, major), join(directory, String(major)));
  await syncPath(directory);
}

function unfinishedIn(directory: string, major: number): string {
  return join(directory, `${major}.new`);
}
