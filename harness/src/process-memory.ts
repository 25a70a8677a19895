import { readFile, writeFile } from "node:fs/promises";

/** Bytes of memory that a process holds now, and the most it held since {@link resetPeakMemory}. */
export interface ProcessMemory {
  now: number;
  peak: number;
}

export async function readMemory(pid: number): Promise<ProcessMemory> {
  return parseMemory(await readFile(`/proc/${pid}/status`, "utf8"));
}

/** proc(5), `/proc/pid/status`: `VmRSS` and `VmHWM`. */
export function parseMemory(status: string): ProcessMemory {
  const field = (name: string) =>
    Number(new RegExp(`^${name}:\\s*(\\d+) kB`, "m").exec(status)?.[1] ?? Number.NaN) * 1024;
  return { now: field("VmRSS"), peak: field("VmHWM") };
}

/** proc(5), `/proc/pid/clear_refs`: 5 sets the peak back to what is held now. */
export async function resetPeakMemory(pid: number): Promise<void> {
  await writeFile(`/proc/${pid}/clear_refs`, "5");
}
