import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { clusterFilesIn, writeClusterFiles } from "../database/cluster-files.ts";
import { databaseCommand } from "../database/database-process.ts";
import { asDatabaseUser, databaseEnvironment } from "../database/database-user.ts";
import { findInstalledPostgres, type InstalledPostgres } from "../database/installed-postgres.ts";
import { type PreparedCluster, prepareCluster } from "../database/prepare-cluster.ts";
import { untilAccepting } from "../database/until-accepting.ts";
import { makeSocketDirectory } from "../installation/prepare-directories.ts";
import { ensureSystemUsers } from "../installation/system-users.ts";

/** Creates a cluster as the supervisor does, in a temporary directory that only root may enter. */
export async function createPrivateCluster({
  programPaths = [],
}: {
  /** Directories of programs besides the system's. */
  programPaths?: string[];
} = {}) {
  const users = await ensureSystemUsers();
  const root = await mkdtemp(join(tmpdir(), "opencomputer-cluster-"));
  const directory = join(root, "postgresql");
  const mountPoint = join(root, "root");
  const socketDirectory = join(root, "socket");
  await mkdir(directory);
  await mkdir(mountPoint);
  await makeSocketDirectory(socketDirectory, users.database, users.controlPlane);
  const files = clusterFilesIn(directory);
  await writeClusterFiles(files, {
    controlPlaneUser: users.controlPlane.name,
    databaseUser: users.database.name,
  });
  const confinement = {
    user: users.database,
    mountPoint,
    readOnlyPaths: programPaths,
    writablePaths: [directory, socketDirectory],
  };
  const notes: string[] = [];
  const running: ChildProcess[] = [];

  const prepare = async (installed?: InstalledPostgres[]): Promise<PreparedCluster> =>
    prepareCluster(
      { directory, confinement },
      {
        files,
        installed: installed ?? (await findInstalledPostgres()),
        onStage: () => undefined,
        onNote: (text) => notes.push(text),
      },
    );

  return {
    root,
    directory,
    socketDirectory,
    confinement,
    users,
    notes,
    prepare,

    async start(cluster: PreparedCluster): Promise<ChildProcess> {
      const [program = "", ...parameters] = asDatabaseUser(
        databaseCommand(cluster, { files, socketDirectory }),
        confinement,
      );
      const child = spawn(program, parameters, {
        env: databaseEnvironment,
        stdio: ["ignore", "inherit", "inherit"],
        detached: true,
      });
      running.push(child);
      await untilAccepting(cluster.postgres, socketDirectory, AbortSignal.timeout(60_000));
      return child;
    },

    /** Runs SQL as a system user in a role; returns the rows as lines. */
    async query(sql: string, { systemUser = "root", role = "opencomputer" } = {}): Promise<string> {
      const psql = ["psql", "--no-psqlrc", "-qtA", "-v", "ON_ERROR_STOP=1"];
      const place = ["-h", socketDirectory, "-U", role, "-d", "opencomputer", "-c", sql];
      const asUser = ["--reuid", systemUser, "--regid", systemUser, "--clear-groups"];
      const command = systemUser === "root" ? [] : ["setpriv", ...asUser];
      const [program = "", ...parameters] = [...command, ...psql, ...place];
      const { stdout } = await promisify(execFile)(program, parameters, { cwd: "/" });
      return stdout.trim();
    },

    /** Lets users other than root reach the socket directory, as the runtime directory does. */
    openRoot: () => chmod(root, 0o711),

    async remove(): Promise<void> {
      for (const child of running) {
        if (child.exitCode !== null || child.signalCode !== null) continue;
        const closed = once(child, "close");
        child.kill("SIGINT");
        await closed;
      }
      await rm(root, { recursive: true, force: true });
    },
  };
}
export type PrivateCluster = Awaited<ReturnType<typeof createPrivateCluster>>;
