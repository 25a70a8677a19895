import { availableParallelism, totalmem } from "node:os";
import { limits, type PrepareSandboxRequest, WireError } from "@opencomputer/protocol";

/** The largest sandbox of this host: the product's limits, as far as the host has it. */
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
 * `imageDiskMB` is the disk that every new guest has at least. What starts from
 * a checkpoint has that one's, also when it is of an older, smaller image.
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
