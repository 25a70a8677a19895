import { mkdir, readdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { hasCode } from "../process/process-identity.ts";
import { type CgroupLayout, findCgroupLayout, type GroupLimits } from "./cgroup-layout.ts";

/** The control groups that bound what each machine takes of the host. */
export interface Cgroups {
  /** Moves a process into a group of its own. */
  add(name: string, pid: number): Promise<void>;
  limit(name: string, limits: GroupLimits): Promise<void>;
  /** Removes a group whose processes have ended. Done already is no error. */
  remove(name: string): Promise<void>;
  /** Removes the groups that are not among the kept ones. */
  removeStrays(kept: ReadonlySet<string>): Promise<void>;
  /** Removes the installation's own group, which must be empty. */
  tearDown(): Promise<void>;
}

/** No groups: the host does not let this process make any. */
const noCgroups: Cgroups = {
  add: async () => undefined,
  limit: async () => undefined,
  remove: async () => undefined,
  removeStrays: async () => undefined,
  tearDown: async () => undefined,
};

/**
 * Prepares the installation's groups, in cgroup v1 or v2. Where the host has
 * no writable controllers, machines run without limits and `onUnavailable`
 * hears why.
 */
export async function createCgroups(options: {
  installationId: string;
  onUnavailable: (reason: unknown) => void;
}): Promise<Cgroups> {
  const groupName = `opencomputer-${options.installationId}`;
  try {
    const layout = findCgroupLayout({
      mounts: await readFile("/proc/self/mounts", "utf8"),
      memberships: await readFile("/proc/self/cgroup", "utf8"),
    });
    if (layout === undefined) {
      options.onUnavailable("the host has no cpu, memory and pids controllers mounted");
      return noCgroups;
    }
    await prepareParents(layout, groupName);
    return cgroupsIn(layout, groupName);
  } catch (error) {
    options.onUnavailable(error);
    return noCgroups;
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
    async add(name, pid) {
      await Promise.all(
        directories(name).map(async (directory) => {
          await mkdir(directory, { recursive: true });
          await writeFile(join(directory, "cgroup.procs"), String(pid));
        }),
      );
    },
    async limit(name, limits) {
      for (const { parent, file, value } of layout.settings(limits)) {
        await writeFile(join(parent, groupName, name, file), value);
      }
    },
    remove,
    async removeStrays(kept) {
      for (const parent of layout.parents) {
        const group = join(parent, groupName);
        const names = await readdir(group, { withFileTypes: true }).catch((error: unknown) => {
          if (hasCode(error, "ENOENT")) return [];
          throw error;
        });
        const strays = names.filter((entry) => entry.isDirectory() && !kept.has(entry.name));
        for (const stray of strays) await removeGroup(join(group, stray.name));
      }
    },
    async tearDown() {
      for (const parent of layout.parents) await removeGroup(join(parent, groupName));
    },
  };
}

/** The kernel refuses with EBUSY for a moment after the last process has ended. */
async function removeGroup(directory: string): Promise<void> {
  const deadline = Date.now() + 5_000;
  for (;;) {
    try {
      await rmdir(directory);
      return;
    } catch (error) {
      if (hasCode(error, "ENOENT")) return;
      if (!hasCode(error, "EBUSY") || Date.now() > deadline) {
        throw new Error(`Control group ${directory} of ${dirname(directory)} cannot be removed`, {
          cause: error,
        });
      }
      await delay(5);
    }
  }
}
