import { mkdir, readdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { SettingsError } from "@opencomputer/protocol/wire";
import type { Logger } from "pino";
import { hasCode } from "../process/process-identity.ts";
import { type CgroupLayout, findCgroupLayout, type GroupLimits } from "./cgroup-layout.ts";

/** The control groups that limit the resources of the host that each machine uses. */
export interface Cgroups {
  /** False where the operator allowed machines without limits. */
  readonly enforced: boolean;
  /** Makes a group, and moves a process into it. */
  add(name: string, pid?: number): Promise<void>;
  limit(name: string, limits: GroupLimits): Promise<void>;
  /** Removes a group whose processes have ended. Idempotent. */
  remove(name: string): Promise<void>;
  /** Removes the groups that are not among the kept ones. */
  removeOrphans(kept: ReadonlySet<string>): Promise<void>;
  /** Removes the installation's own group, which must be empty. */
  tearDown(): Promise<void>;
}

/** No groups: this process cannot make any on the host, and the operator accepts that. */
const noCgroups: Cgroups = {
  enforced: false,
  add: async () => undefined,
  limit: async () => undefined,
  remove: async () => undefined,
  removeOrphans: async () => undefined,
  tearDown: async () => undefined,
};

/** What the kernel reports of the control groups of this process. */
export interface CgroupFiles {
  readonly mounts: string;
  readonly memberships: string;
}

export async function readCgroupFiles(): Promise<CgroupFiles> {
  return {
    mounts: await readFile("/proc/self/mounts", "utf8"),
    memberships: await readFile("/proc/self/cgroup", "utf8"),
  };
}

/**
 * Prepares the installation's groups, in cgroup v1 or v2, and checks that limits can be set.
 *
 * @throws {SettingsError} where the host has no writable controllers, and the
 * operator does not allow machines without limits.
 */
export async function createCgroups(options: {
  installationId: string;
  files: CgroupFiles;
  allowsUnlimited: boolean;
  log: Pick<Logger, "warn">;
}): Promise<Cgroups> {
  const groupName = `opencomputer-${options.installationId}`;
  try {
    const layout = findCgroupLayout(options.files);
    if (layout === undefined) {
      throw new Error("the controllers cpu, memory and pids are not mounted");
    }
    await prepareParents(layout, groupName);
    const cgroups = cgroupsIn(layout, groupName);
    await tryOut(cgroups);
    return cgroups;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    if (!options.allowsUnlimited) {
      throw new SettingsError(
        `Control groups cannot be used (${reason}), and without them a sandbox could use all CPU and memory of this host. Mount /sys/fs/cgroup writable with the controllers cpu, memory and pids (a container needs --privileged, or --cgroupns=host --volume /sys/fs/cgroup:/sys/fs/cgroup), or accept this with OPENCOMPUTER_ALLOW_UNLIMITED=1.`,
      );
    }
    options.log.warn(
      { err: error },
      "OPENCOMPUTER_ALLOW_UNLIMITED: the host does not limit CPU, memory and threads of machines",
    );
    return noCgroups;
  }
}

/** Checks that each limit can be set: a hierarchy may be writable and lack the files of a controller. */
async function tryOut(cgroups: Cgroups): Promise<void> {
  const name = "trial";
  try {
    await cgroups.add(name);
    await cgroups.limit(name, { cpuPercent: 100, memoryMB: 64, isBackground: false });
  } finally {
    await cgroups.remove(name);
  }
}

async function prepareParents(layout: CgroupLayout, groupName: string): Promise<void> {
  for (const parent of layout.parents) {
    const directory = join(parent, groupName);
    await mkdir(directory, { recursive: true });
    if (layout.version === 1) continue;
    for (const path of [parent, directory]) {
      await writeFile(join(path, "cgroup.subtree_control"), "+cpu +memory +pids");
    }
  }
}

function cgroupsIn(layout: CgroupLayout, groupName: string): Cgroups {
  const directories = (name: string) =>
    layout.parents.map((parent) => join(parent, groupName, name));

  async function remove(name: string): Promise<void> {
    await Promise.all(directories(name).map(removeGroup));
  }

  return {
    enforced: true,
    async add(name, pid) {
      await Promise.all(
        directories(name).map(async (directory) => {
          await mkdir(directory, { recursive: true });
          if (pid !== undefined) await writeFile(join(directory, "cgroup.procs"), String(pid));
        }),
      );
    },
    async limit(name, limits) {
      for (const { parent, file, value } of layout.settings(limits)) {
        await writeFile(join(parent, groupName, name, file), value);
      }
    },
    remove,
    async removeOrphans(kept) {
      for (const parent of layout.parents) {
        const group = join(parent, groupName);
        const names = await readdir(group, { withFileTypes: true }).catch((error: unknown) => {
          if (hasCode(error, "ENOENT")) return [];
          throw error;
        });
        const orphans = names.filter((entry) => entry.isDirectory() && !kept.has(entry.name));
        for (const orphan of orphans) await removeGroup(join(group, orphan.name));
      }
    },
    async tearDown() {
      for (const parent of layout.parents) await removeGroup(join(parent, groupName));
    },
  };
}

/** The kernel refuses with EBUSY for a moment after the last process has ended. */
async function removeGroup(directory: string): Promise<void> {
  const deadline = performance.now() + 5_000;
  for (;;) {
    try {
      await rmdir(directory);
      return;
    } catch (error) {
      if (hasCode(error, "ENOENT")) return;
      if (!hasCode(error, "EBUSY") || performance.now() > deadline) {
        throw new Error(`Control group ${directory} of ${dirname(directory)} cannot be removed`, {
          cause: error,
        });
      }
      await delay(5);
    }
  }
}
