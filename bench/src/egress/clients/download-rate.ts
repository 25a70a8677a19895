import { readCpuSeconds } from "../../process-time.ts";
import type { Downloads } from "./downloads.ts";

const mebibyte = 1024 ** 2;
export const downloadBytes = 1024 * mebibyte;
const warmUpBytes = 64 * mebibyte;

/** Downloads enough of a kind for V8 to optimize the proxy's code for it. */
export async function warmUp(downloads: Downloads, kind: string): Promise<void> {
  await downloads.milliseconds(kind, warmUpBytes);
}

/** MiB that the process `pid` forwards per second of its CPU time, during a download of 1 GiB. */
export async function measureDownloadRate(
  downloads: Downloads,
  kind: string,
  pid: number,
): Promise<number> {
  const before = await readCpuSeconds(pid);
  await downloads.milliseconds(kind, downloadBytes);
  return downloadBytes / mebibyte / ((await readCpuSeconds(pid)) - before);
}

export function describeRate(rate: number): string {
  return `${rate.toFixed(0)} MiB/s a core`;
}
