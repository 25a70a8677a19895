import type { InstalledPostgres } from "./installed-postgres.ts";

/** What has to be done before the server of `to` can run. */
export interface ClusterPlan {
  readonly action: "create" | "run" | "upgrade";
  /** The major of the data; only for an upgrade. */
  readonly from?: InstalledPostgres;
  readonly to: InstalledPostgres;
  /** Majors of clusters that were upgraded but not renamed yet. */
  readonly setAside: readonly number[];
}

/**
 * Chooses between the majors that have data and those that are installed. The
 * newest cluster has the current data: one gets its name only when its upgrade
 * is complete.
 *
 * @throws when no installed major can read the data. The error names the package to install.
 */
export function planCluster({
  clusterMajors,
  installed,
  directory,
}: {
  clusterMajors: readonly number[];
  installed: readonly InstalledPostgres[];
  directory: string;
}): ClusterPlan {
  const newest = installed.toSorted((one, other) => one.major - other.major).at(-1);
  if (newest === undefined) {
    throw new Error(
      "No PostgreSQL server is installed, and the database needs one: run `apt-get install postgresql`, or set DATABASE_URL to an existing server.",
    );
  }
  const current = clusterMajors.length === 0 ? undefined : Math.max(...clusterMajors);
  if (current === undefined) return { action: "create", to: newest, setAside: [] };
  const setAside = clusterMajors.filter((major) => major !== current);
  const own = installed.find(({ major }) => major === current);
  if (own === undefined) throw new Error(describeMissing(current, newest.major, directory));
  if (newest.major > current) return { action: "upgrade", from: own, to: newest, setAside };
  return { action: "run", to: own, setAside };
}

function describeMissing(current: number, installed: number, directory: string): string {
  const found = `The database in ${directory}/${current} is of PostgreSQL ${current}, and PostgreSQL ${installed} is installed.`;
  if (installed < current) {
    return `${found} Install PostgreSQL ${current} (\`apt-get install postgresql-${current}\`) and start again.`;
  }
  return `${found} The upgrade needs the programs of both: install postgresql-${current} beside it, from Debian's former release or from https://apt.postgresql.org (\`apt-get install postgresql-common && /usr/share/postgresql-common/pgdg/apt.postgresql.org.sh && apt-get install postgresql-${current}\`), and start again. Or, on a host that has PostgreSQL ${current}, dump the database with its pg_dumpall and set DATABASE_URL to a server that the dump was loaded into. Nothing was changed.`;
}
