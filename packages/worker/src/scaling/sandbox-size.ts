import { limits } from "@opencomputer/protocol/api";
import {
  type GuestLimits,
  initialScaling,
  type PrepareSandboxRequest,
  type SandboxScaling,
  type SandboxSize,
} from "@opencomputer/protocol/wire";

const mebi = 1024 * 1024;
/** One part in so many of the memory is left to the guest's kernel and its agent. */
const reservedPart = 16;

/** What a size is read from. */
export type SizedSpec = Pick<PrepareSandboxRequest, "cpuCount" | "memoryMB" | "scaling">;

export function scalingOf({ memoryMB, scaling }: SizedSpec): SandboxScaling {
  return scaling ?? initialScaling(memoryMB);
}

export function sizeOf(spec: SizedSpec): SandboxSize {
  return { memoryMB: spec.memoryMB, scaling: scalingOf(spec) };
}

/** What the host lets the machine of a sandbox take. */
export function hostSizeOf(spec: SizedSpec) {
  const { cpuCount, memoryMB } = spec;
  return { cpuCount, memoryMB, cpuPercent: scalingOf(spec).cpuPercent };
}

/** What the commands in a sandbox may take together. */
export function guestLimitsOf(spec: SizedSpec): GuestLimits {
  const processCount = spec.memoryMB * limits.processesPerMB;
  return {
    memoryBytesMax: commandMemoryBytes(spec.memoryMB),
    processCountMax: Math.min(
      limits.processCountMax,
      Math.max(limits.processCountMin, processCount),
    ),
    cpuPercentMax: scalingOf(spec).cpuPercent ?? 0,
  };
}

function commandMemoryBytes(memoryMB: number): number {
  return memoryMB * mebi - Math.floor((memoryMB * mebi) / reservedPart);
}

/** The smallest size, in MB, whose commands may use so many bytes. */
export function smallestMemoryMB(memoryUsedBytes: number): number {
  const memoryMB = Math.ceil((memoryUsedBytes / mebi) * (reservedPart / (reservedPart - 1)));
  return Math.min(limits.memoryMBMax, Math.max(limits.memoryMBMin, memoryMB));
}

/**
 * The most that a guest may request for itself: what its owner chose, or the
 * upper bound of autoscale while that is enabled and higher.
 */
export function guestMemoryMBMax(spec: SizedSpec): number {
  const { ownerMemoryMB, autoscale } = scalingOf(spec);
  return autoscale?.enabled === true
    ? Math.max(ownerMemoryMB, autoscale.maxMemoryMB)
    : ownerMemoryMB;
}

/** The size that a sandbox has after a restore of a checkpoint that was larger. */
export function enlarged(spec: SizedSpec, memoryMB: number): SandboxSize {
  const scaling = scalingOf(spec);
  const ownerMemoryMB = Math.max(scaling.ownerMemoryMB, memoryMB);
  return { memoryMB, scaling: { ...scaling, ownerMemoryMB } };
}
