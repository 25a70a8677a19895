import { readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

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
export async function endFormerPostmaster(clusterDirectory: string): Promise<void> {
  const ended =
    (await endWith(clusterDirectory, "SIGINT", fastMilliseconds)) ||
    (await endWith(clusterDirectory, "SIGQUIT", immediateMilliseconds));
  if (!ended) {
    throw new Error(
      `Processes of an earlier start still use the database in ${clusterDirectory} (${(await findProcessesIn(clusterDirectory)).map(({ pid }) => pid).join(", ")}): end them, and start again.`,
    );
  }
  await rm(join(clusterDirectory, "postmaster.pid"), { force: true });
}

/** Whether every process is gone after the signal. */
async function endWith(
  clusterDirectory: string,
  signal: NodeJS.Signals,
  timeoutMilliseconds: number,
): Promise<boolean> {
  const deadline = Date.now() + timeoutMilliseconds;
  let signalled = false;
  for (;;) {
    const processes = await findProcessesIn(clusterDirectory);
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
 * The processes that work in a directory, as all of PostgreSQL do in their cluster's. Known by
 * device and inode, since their paths may be those of another mount namespace.
 */
async function findProcessesIn(directory: string): Promise<{ pid: number; parent: number }[]> {
  const { dev, ino } = await stat(directory);
  const found: { pid: number; parent: number }[] = [];
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const current = await stat(`/proc/${name}/cwd`);
      if (current.dev !== dev || current.ino !== ino) continue;
      const status = await readFile(`/proc/${name}/status`, "utf8");
      const parent = Number(/^PPid:\s*(\d+)$/m.exec(status)?.[1]);
      found.push({ pid: Number(name), parent });
    } catch (error) {
      // The process ended while it was looked at.
      if (!(error instanceof Error && "code" in error)) throw error;
    }
  }
  return found;
}
