import { readdir, readFile, readlink, rm, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { SystemUser } from "../system-users.ts";

const pollMilliseconds = 50;
const fastMilliseconds = 30_000;
const immediateMilliseconds = 10_000;

/**
 * Ends what a supervisor that was killed left running on a cluster, and removes
 * `postmaster.pid` where nothing runs: after a reboot its process id may be
 * that of another process of the same user, which PostgreSQL takes for itself.
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

/** Whether every process is gone after the signal. */
async function endWith(
  cluster: Cluster,
  signal: NodeJS.Signals,
  timeoutMilliseconds: number,
): Promise<boolean> {
  const deadline = Date.now() + timeoutMilliseconds;
  let signalled = false;
  for (;;) {
    const processes = await findProcessesOf(cluster);
    if (processes.length === 0) return true;
    if (Date.now() > deadline) return false;
    const pids = processes.map(({ pid }) => pid);
    // The postmaster ends its children itself; children without one end by themselves.
    const postmaster = processes.find(({ parent }) => !pids.includes(parent));
    if (!signalled && postmaster !== undefined) process.kill(postmaster.pid, signal);
    signalled = true;
    await delay(pollMilliseconds);
  }
}

/**
 * The processes of PostgreSQL that work in the directory, as all of a cluster do in its own. Known
 * by device and inode, since their paths may be those of another mount namespace. A shell or a tar
 * of the operator's may work there too, and is none of them.
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
      // The process ended while it was looked at.
      if (!(error instanceof Error && "code" in error)) throw error;
    }
  }
  return found;
}

/** The link of a program that was upgraded while it runs ends with ` (deleted)`: proc(5). */
function isPostgres(program: string): boolean {
  return basename(program.replace(/ \(deleted\)$/, "")) === "postgres";
}
