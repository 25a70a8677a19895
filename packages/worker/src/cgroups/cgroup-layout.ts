import { join, resolve } from "node:path";

/** The resources that one group may use. `isBackground`: other groups get CPU time first. */
export interface GroupLimits {
  readonly cpuPercent: number;
  readonly memoryMB: number;
  readonly isBackground: boolean;
}

/** Where the host's control groups are, and the names of their files. */
export interface CgroupLayout {
  readonly version: 1 | 2;
  /** Directories below which groups are made: one for each controller in v1, a single one in v2. */
  readonly parents: readonly string[];
  settings(limits: GroupLimits): readonly { parent: string; file: string; value: string }[];
}

const controllers = ["cpu", "memory", "pids"] as const;
/** Threads of one QEMU: its CPUs, and at most 64 for disk requests. */
const threadsMax = 256;
const periodMicroseconds = 100_000;
const mebi = 1024 * 1024;

/**
 * Finds the layout in `/proc/self/mounts` and `/proc/self/cgroup`. In v1 groups
 * are made below the worker's own, so that the worker's limits apply to its
 * machines too. v2 forbids that for a group that has processes, so there they
 * are made at the root of the hierarchy. Undefined when a controller is missing.
 */
export function findCgroupLayout(files: {
  mounts: string;
  memberships: string;
}): CgroupLayout | undefined {
  const mounts = files.mounts
    .split("\n")
    .map((line) => line.split(" "))
    .map(([, path = "", type = "", options = ""]) => ({ path, type, options: options.split(",") }));
  const parentOf = (controller: string) => {
    const mount = mounts.find((m) => m.type === "cgroup" && m.options.includes(controller));
    const own = files.memberships
      .split("\n")
      .map((line) => line.split(":"))
      .find(([, names = ""]) => names.split(",").includes(controller))?.[2];
    return mount === undefined || own === undefined ? undefined : resolve(join(mount.path, own));
  };
  const [cpu, memory, pids] = controllers.map(parentOf);
  if (cpu !== undefined && memory !== undefined && pids !== undefined) {
    return layoutOfVersion1({ cpu, memory, pids });
  }
  const unified = mounts.find((m) => m.type === "cgroup2");
  const isUnified = mounts.every((m) => m.type !== "cgroup");
  return unified === undefined || !isUnified ? undefined : layoutOfVersion2(unified.path);
}

function layoutOfVersion1(parents: { cpu: string; memory: string; pids: string }): CgroupLayout {
  const { cpu, memory, pids } = parents;
  return {
    version: 1,
    parents: [...new Set([cpu, memory, pids])],
    settings: (limits) => [
      { parent: cpu, file: "cpu.cfs_period_us", value: String(periodMicroseconds) },
      { parent: cpu, file: "cpu.cfs_quota_us", value: String(quotaMicroseconds(limits)) },
      { parent: cpu, file: "cpu.shares", value: limits.isBackground ? "64" : "1024" },
      { parent: memory, file: "memory.limit_in_bytes", value: String(limits.memoryMB * mebi) },
      { parent: pids, file: "pids.max", value: String(threadsMax) },
    ],
  };
}

function layoutOfVersion2(parent: string): CgroupLayout {
  return {
    version: 2,
    parents: [parent],
    settings: (limits) => [
      { parent, file: "cpu.max", value: `${quotaMicroseconds(limits)} ${periodMicroseconds}` },
      { parent, file: "cpu.weight", value: limits.isBackground ? "6" : "100" },
      { parent, file: "memory.max", value: String(limits.memoryMB * mebi) },
      { parent, file: "pids.max", value: String(threadsMax) },
    ],
  };
}

function quotaMicroseconds(limits: GroupLimits): number {
  return Math.round((limits.cpuPercent / 100) * periodMicroseconds);
}
