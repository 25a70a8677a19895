import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";

/**
 * A process, distinguished from a later one with the same id: `startTicks`
 * is its start in clock ticks since boot, field 22 of `/proc/<pid>/stat`.
 */
export const processIdentitySchema = z.object({
  pid: z.int().min(2),
  startTicks: z.string().regex(/^\d+$/),
});
export type ProcessIdentity = z.infer<typeof processIdentitySchema>;

/** The identity of a live process; undefined when there is none, or only its zombie. */
export async function identifyProcess(pid: number): Promise<ProcessIdentity | undefined> {
  const stat = await readProcFile(`/proc/${pid}/stat`);
  return stat === undefined ? undefined : parseProcessStat(pid, stat);
}

/** Parses `/proc/<pid>/stat`; the command name in it may contain spaces and parentheses. */
export function parseProcessStat(pid: number, stat: string): ProcessIdentity | undefined {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const state = fields[0];
  const startTicks = fields[19];
  if (state === undefined || startTicks === undefined) return undefined;
  if (state === "Z" || state === "X") return undefined;
  return { pid, startTicks };
}

/** Whether that very process still runs. */
export async function isAlive(identity: ProcessIdentity): Promise<boolean> {
  const found = await identifyProcess(identity.pid);
  return found !== undefined && found.startTicks === identity.startTicks;
}

/**
 * Kills that very process and returns when it is gone. A process that is
 * already gone is no error.
 *
 * @throws {Error} when it is still there after ten seconds.
 */
export async function killProcess(identity: ProcessIdentity): Promise<void> {
  if (!(await isAlive(identity))) return;
  sendSignal(identity.pid, "SIGKILL");
  const deadline = performance.now() + 10_000;
  while (await isAlive(identity)) {
    if (performance.now() > deadline) {
      throw new Error(`Process ${identity.pid} still exists 10 seconds after SIGKILL`);
    }
    await delay(3);
  }
}

function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!hasCode(error, "ESRCH")) throw error;
  }
}

/** The content of a file below /proc; undefined when its process is gone. */
export async function readProcFile(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (hasCode(error, "ENOENT") || hasCode(error, "ESRCH")) return undefined;
    throw error;
  }
}

export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
