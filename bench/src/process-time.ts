import { readFile } from "node:fs/promises";

/** proc(5): times are in ticks of `USER_HZ`, which Linux fixes at 100 a second. */
const ticksPerSecond = 100;

/** CPU time that a process has used so far, in user and kernel mode, in all of its threads. */
export async function readCpuSeconds(pid: number): Promise<number> {
  return parseCpuSeconds(await readFile(`/proc/${pid}/stat`, "utf8"));
}

/** proc(5), `/proc/pid/stat`: `utime` and `stime` are fields 14 and 15. */
export function parseCpuSeconds(stat: string): number {
  // The second field is the program's name in parentheses, and may hold both spaces and parentheses.
  const [, ...fields] = stat.slice(stat.lastIndexOf(")")).split(" ");
  const ticks = Number(fields[11]) + Number(fields[12]);
  if (Number.isNaN(ticks)) throw new Error(`Expected the times of a process, got ${stat}`);
  return ticks / ticksPerSecond;
}
