import { join } from "node:path";
import { listDirectory } from "../installation/file-access.ts";
import type { ClusterFiles } from "./cluster-files.ts";
import { planCluster } from "./cluster-plan.ts";
import { type ClusterPlace, createCluster } from "./create-cluster.ts";
import { endFormerPostmaster } from "./end-former-postmaster.ts";
import { type InstalledPostgres, isMajor } from "./installed-postgres.ts";
import { removeUnfinished } from "./remove-unfinished.ts";
import { setAsideCluster, upgradeCluster } from "./upgrade-cluster.ts";

/** A cluster that no server runs on, ready to be started. */
export interface PreparedCluster {
  readonly postgres: InstalledPostgres;
  readonly directory: string;
}

/**
 * Creates the cluster at the first start, and upgrades it when the distribution
 * has a newer major. After an upgrade that fails, the cluster stays on its own
 * major.
 *
 * @throws when no installed major can read the data.
 */
export async function prepareCluster(
  place: ClusterPlace,
  {
    files,
    installed,
    onStage,
    onNote,
  }: {
    files: ClusterFiles;
    installed: readonly InstalledPostgres[];
    onStage: (stage: string) => void;
    onNote: (text: string) => void;
  },
): Promise<PreparedCluster> {
  const { directory } = place;
  const names = await listDirectory(directory);
  const clusterMajors = names.filter(isMajor).map(Number);
  const plan = planCluster({ clusterMajors, installed, directory });
  for (const major of clusterMajors) {
    await endFormerPostmaster(join(directory, String(major)), place.confinement.user);
  }
  for (const major of plan.setAside) await setAsideCluster(directory, major, plan.to.major);

  let { to: postgres } = plan;
  if (plan.action === "create") {
    onStage("creating the database");
    await createCluster(place, postgres);
  } else if (plan.action === "upgrade" && plan.from !== undefined) {
    onStage(`upgrading the database from PostgreSQL ${plan.from.major} to ${postgres.major}`);
    const { from, to } = { from: plan.from, to: postgres };
    try {
      await upgradeCluster(place, { from, to, files });
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      postgres = from;
      await removeUnfinished(place.confinement, join(directory, `${to.major}.new`));
      onNote(
        `The database could not be upgraded from PostgreSQL ${from.major} to ${to.major}, and runs on ${from.major} as before: keep postgresql-${from.major} installed. The next start tries again. ${error.message}`,
      );
    }
  }
  return { postgres, directory: join(directory, String(postgres.major)) };
}
