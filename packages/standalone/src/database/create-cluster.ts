import { chown, mkdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { syncPath } from "../sync-path.ts";
import type { SystemUser } from "../system-users.ts";
import { administrator, databaseName } from "./cluster-files.ts";
import type { RunAsDatabaseUser } from "./database-user.ts";
import type { InstalledPostgres } from "./installed-postgres.ts";
import { removeUnfinished } from "./remove-unfinished.ts";

export interface ClusterPlace {
  /** Holds a directory for each major. */
  readonly directory: string;
  readonly user: SystemUser;
  readonly run: RunAsDatabaseUser;
}

/** Makes the cluster with the role and the database of the control plane; it appears complete. */
export async function createCluster(place: ClusterPlace, postgres: InstalledPostgres) {
  const unfinished = await initializeCluster(place, postgres);
  await place.run(
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

/** An empty cluster under a name that no start takes for a complete one. */
export async function initializeCluster(
  { directory, user, run }: ClusterPlace,
  { major, binaryDirectory }: InstalledPostgres,
): Promise<string> {
  const unfinished = unfinishedIn(directory, major);
  await removeUnfinished(unfinished, run);
  await mkdir(unfinished, { mode: 0o700 });
  await chown(unfinished, user.userId, user.groupId);
  await run([
    ...[join(binaryDirectory, "initdb"), "-D", unfinished, `--username=${administrator}`],
    ...["--encoding=UTF8", "--locale=C.UTF-8", "--locale-provider=libc", "--data-checksums"],
    // The configuration beside the cluster counts; by the cluster's own nobody gets in.
    ...["--auth-local=reject", "--auth-host=reject"],
  ]);
  return unfinished;
}

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
