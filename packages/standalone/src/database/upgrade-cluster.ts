import { chown, mkdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { syncPath } from "../installation/file-access.ts";
import { administrator, type ClusterFiles } from "./cluster-files.ts";
import { type ClusterPlace, finishCluster, initializeCluster } from "./create-cluster.ts";
import { runAsDatabaseUser } from "./database-user.ts";
import type { InstalledPostgres } from "./installed-postgres.ts";
import { removeUnfinished } from "./remove-unfinished.ts";

/**
 * Upgrades the cluster to a newer major with pg_upgrade in its copying mode:
 * the old cluster is not changed, and is kept under another name.
 */
export async function upgradeCluster(
  place: ClusterPlace,
  { from, to, files }: { from: InstalledPostgres; to: InstalledPostgres; files: ClusterFiles },
): Promise<void> {
  const { directory, confinement } = place;
  const unfinished = await initializeCluster(place, to);
  const workDirectory = join(directory, "upgrade");
  await removeUnfinished(confinement, workDirectory);
  await mkdir(workDirectory, { mode: 0o700 });
  await chown(workDirectory, confinement.user.userId, confinement.user.groupId);
  const access = `-c hba_file=${files.access} -c ident_file=${files.identities}`;
  await runAsDatabaseUser(
    confinement,
    [
      ...[join(to.binaryDirectory, "pg_upgrade"), `--username=${administrator}`],
      ...[`--old-bindir=${from.binaryDirectory}`, `--new-bindir=${to.binaryDirectory}`],
      ...[`--old-datadir=${join(directory, String(from.major))}`, `--new-datadir=${unfinished}`],
      ...[`--old-options=${access}`, `--new-options=${access}`, `--socketdir=${workDirectory}`],
    ],
    { workingDirectory: workDirectory },
  );
  await finishCluster(place, to);
  await removeUnfinished(confinement, workDirectory);
  await setAsideCluster(directory, from.major, to.major);
}

/** Keeps a cluster that was upgraded, under a name that no start runs. */
export async function setAsideCluster(
  directory: string,
  major: number,
  newMajor: number,
): Promise<void> {
  await rename(join(directory, String(major)), join(directory, `${major}-before-${newMajor}`));
  await syncPath(directory);
}
