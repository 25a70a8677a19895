import { availableParallelism, totalmem } from "node:os";
import { limits, WireError } from "@opencomputer/protocol/api";
import type { PrepareSandboxRequest } from "@opencomputer/protocol/wire";

/** The largest sandbox of this host: the smaller of the product's limits and the host's size. */
export interface HostCapacity {
  readonly cpuCountMax: number;
  readonly memoryMBMax: number;
}

export function hostCapacity(): HostCapacity {
  return {
    cpuCountMax: Math.min(limits.cpuCountMax, availableParallelism()),
    memoryMBMax: Math.min(limits.memoryMBMax, Math.floor(totalmem() / (1024 * 1024))),
  };
}

/**
 * Checks that the host can give a sandbox its size. `imageDiskMB` is the disk that
 * every new guest has at least. A sandbox that starts from a checkpoint has the
 * checkpoint's disk, which may be that of an older, smaller image.
 *
 * @throws {WireError} `unsupported_option` for a size that the host cannot give.
 */
export function checkSize(
  spec: Pick<PrepareSandboxRequest, "cpuCount" | "memoryMB" | "diskMB" | "checkpointId">,
  capacity: HostCapacity,
  imageDiskMB: number,
): void {
  const { cpuCountMax, memoryMBMax } = capacity;
  if (spec.cpuCount > cpuCountMax) {
    throw unsupported("cpuCount", `at most ${cpuCountMax} on this host`, spec.cpuCount);
  }
  if (spec.memoryMB > memoryMBMax) {
    throw unsupported("memoryMB", `at most ${memoryMBMax} on this host`, spec.memoryMB);
  }
  if (spec.checkpointId === null && spec.diskMB !== null && spec.diskMB < imageDiskMB) {
    throw unsupported("diskMB", `at least ${imageDiskMB}, the base image's disk`, spec.diskMB);
  }
}

function unsupported(option: string, expectation: string, found: number): WireError {
  return new WireError("unsupported_option", `${option} must be ${expectation}, got ${found}`);
}
