import { readCpuSeconds } from "../../process-time.ts";
import type { Downloads } from "./downloads.ts";

const mebibyte = 1024 ** 2;
export const downloadBytes = 1024 * mebibyte;
const warmUpBytes = 64 * mebibyte;

/** Downloads enough of a kind for the proxy's code to be compiled for it. */
export async function warmUp(downloads: Downloads, kind: string): Promise<void> {
  await downloads.milliseconds(kind, warmUpBytes);
}

/** MiB that the process `pid` passes on in a second of its CPU time, while 1 GiB is downloaded. */
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
