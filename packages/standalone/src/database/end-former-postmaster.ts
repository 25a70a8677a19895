import { readdir, readFile, readlink, rm, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { SystemUser } from "../installation/system-users.ts";

const pollMilliseconds = 50;
const fastMilliseconds = 30_000;
const immediateMilliseconds = 10_000;

/**
 * Ends the server that a killed supervisor left running on a cluster, and
 * removes `postmaster.pid` when none runs: after a reboot another process of
 * the same user may have the process id in it, and PostgreSQL would take that
 * for its own server.
 *
 * @throws when a process of the cluster does not end.
 */
export async function endFormerPostmaster(
  clusterDirectory: string,
  user: Pick<SystemUser, "userId">,
): Promise<void> {
  const cluster = { directory: clusterDirectory, userId: user.userId };
  const ended =
    (await endWith(cluster, "SIGINT", fastMilliseconds)) ||
    (await endWith(cluster, "SIGQUIT", immediateMilliseconds));
  if (!ended) {
    throw new Error(
      `Processes of an earlier start still use the database in ${clusterDirectory} (${(await findProcessesOf(cluster)).map(({ pid }) => pid).join(", ")}): end them, and start again.`,
    );
  }
  await rm(join(clusterDirectory, "postmaster.pid"), { force: true });
}

interface Cluster {
  readonly directory: string;
  readonly userId: number;
}

/** Returns whether every process has ended after the signal. */
async function endWith(
  cluster: Cluster,
  signal: NodeJS.Signals,
  timeoutMilliseconds: number,
): Promise<boolean> {
  const deadline = performance.now() + timeoutMilliseconds;
  let signalled = false;
  for (;;) {
    const processes = await findProcessesOf(cluster);
    if (processes.length === 0) return true;
    if (performance.now() > deadline) return false;
    const pids = processes.map(({ pid }) => pid);
    // The postmaster ends its children itself; children without one end by themselves.
    const postmaster = processes.find(({ parent }) => !pids.includes(parent));
    if (!signalled && postmaster !== undefined) process.kill(postmaster.pid, signal);
    signalled = true;
    await delay(pollMilliseconds);
  }
}

/**
 * Finds the processes of PostgreSQL whose working directory is the cluster, as it is for all of a
 * cluster. Directories are compared by device and inode, since a process may have them at a path of
 * another mount namespace. An operator's shell or tar may work there too, and is left alone.
 */
async function findProcessesOf({
  directory,
  userId,
}: Cluster): Promise<{ pid: number; parent: number }[]> {
  const { dev, ino } = await stat(directory);
  const found: { pid: number; parent: number }[] = [];
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const current = await stat(`/proc/${name}/cwd`);
      if (current.dev !== dev || current.ino !== ino) continue;
      const status = await readFile(`/proc/${name}/status`, "utf8");
      const owner = Number(/^Uid:\s*(\d+)/m.exec(status)?.[1]);
      if (owner !== userId || !isPostgres(await readlink(`/proc/${name}/exe`))) continue;
      const parent = Number(/^PPid:\s*(\d+)$/m.exec(status)?.[1]);
      found.push({ pid: Number(name), parent });
    } catch (error) {
      // The process has ended meanwhile.
      if (!(error instanceof Error && "code" in error)) throw error;
    }
  }
  return found;
}

/** The link of a program that was upgraded while it runs ends with ` (deleted)`: proc(5). */
function isPostgres(program: string): boolean {
  return basename(program.replace(/ \(deleted\)$/, "")) === "postgres";
}
