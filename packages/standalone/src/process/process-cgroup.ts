import { existsSync } from "node:fs";
import { access, mkdir, readFile, rmdir, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { hasCode } from "../installation/file-access.ts";

const pollMilliseconds = 5;
const endMilliseconds = 10_000;
/** cgroup(7), version 2: a 1 in it kills every process of the group, and what they start meanwhile. */
const killFile = "cgroup.kill";
const processesFile = "cgroup.procs";

/**
 * Enters a group and runs the command there, so that nothing that the command
 * starts is ever outside of it. The group is made again when something else
 * removed it while it was empty. Arguments: the file of the group's processes,
 * and the command.
 */
const enterScript = `
mkdir -p "\${1%/*}" && echo $$ > "$1" || echo "cannot enter the control group: what this process leaves running is not ended with it" >&2
shift
exec "$@"
`;

/** A control group that holds one process and everything that it starts, however that detaches itself. */
export class ProcessCgroup {
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /**
   * Makes the group, or takes the one that a supervisor which was killed left,
   * and ends what still runs in it.
   */
  static async create(parentDirectory: string, name: string): Promise<ProcessCgroup> {
    const group = new ProcessCgroup(join(parentDirectory, name));
    await mkdir(group.#directory, { recursive: true });
    await group.endProcesses();
    return group;
  }

  /** The command that runs another one in the group. The process id stays. */
  commandInside(command: readonly string[]): string[] {
    const file = join(this.#directory, processesFile);
    return ["/bin/sh", "-c", enterScript, "enter-cgroup", file, ...command];
  }

  /**
   * Kills every process of the group.
   *
   * @throws when one is still alive after ten seconds.
   */
  async endProcesses(): Promise<void> {
    const deadline = performance.now() + endMilliseconds;
    for (;;) {
      const processIds = await this.#processIds();
      if (processIds.length === 0) return;
      if (performance.now() > deadline) {
        throw new Error(
          `Processes ${processIds.join(", ")} of the control group ${this.#directory} are still alive ${endMilliseconds / 1000} s after SIGKILL`,
        );
      }
      if (!(await this.#killAtOnce())) processIds.forEach(killIfPresent);
      await delay(pollMilliseconds);
    }
  }

  /** Removes the group, which holds no process any more. */
  async remove(): Promise<void> {
    const deadline = performance.now() + endMilliseconds;
    for (;;) {
      try {
        await rmdir(this.#directory);
        return;
      } catch (error) {
        if (hasCode(error, "ENOENT")) return;
        // The kernel refuses for a moment after the last process has ended.
        if (!hasCode(error, "EBUSY") || performance.now() > deadline) throw error;
        await delay(pollMilliseconds);
      }
    }
  }

  async #processIds(): Promise<number[]> {
    let text: string;
    try {
      text = await readFile(join(this.#directory, processesFile), "utf8");
    } catch (error) {
      // The group was removed before the file was opened, or while it was read.
      if (hasCode(error, "ENOENT") || hasCode(error, "ENODEV")) return [];
      throw error;
    }
    // 0 means a process outside of this one's PID namespace.
    return text
      .split("\n")
      .map(Number)
      .filter((id) => id > 0);
  }

  /** Returns false where the kernel cannot: in version 1, and in version 2 before Linux 5.14. */
  async #killAtOnce(): Promise<boolean> {
    try {
      await access(join(this.#directory, killFile));
    } catch (error) {
      if (hasCode(error, "ENOENT")) return false;
      throw error;
    }
    await writeFile(join(this.#directory, killFile), "1");
    return true;
  }
}

/**
 * Finds the directory below which this process may make control groups: its
 * own group, in version 2 where that is mounted, and else in version 1.
 * Undefined where groups cannot be made, as in most containers.
 */
export async function findCgroupParent(): Promise<string | undefined> {
  const directory = cgroupOfProcess({
    mounts: await readFile("/proc/self/mounts", "utf8"),
    memberships: await readFile("/proc/self/cgroup", "utf8"),
  });
  if (directory === undefined) return undefined;
  return (await mayHoldGroups(directory)) ? directory : undefined;
}

/** Whether a directory is a control group in which this process may make others. */
export async function mayHoldGroups(directory: string): Promise<boolean> {
  const trial = join(directory, `opencomputer-trial-${process.pid}`);
  try {
    await mkdir(trial);
    const isGroup = existsSync(join(trial, processesFile));
    await rmdir(trial);
    return isGroup;
  } catch (error) {
    if (error instanceof Error && "code" in error) return false;
    throw error;
  }
}

/**
 * Reads `/proc/self/mounts` and `/proc/self/cgroup`. Undefined also when the
 * group is outside of this process's cgroup namespace, and so has no directory.
 */
export function cgroupOfProcess(files: {
  mounts: string;
  memberships: string;
}): string | undefined {
  const mounts = files.mounts.split("\n").map((line) => {
    const [, path = "", type = "", options = ""] = line.split(" ");
    return { path, type, options: options.split(",") };
  });
  const memberships = files.memberships.split("\n").map((line) => {
    const [hierarchy = "", controllers = "", ...path] = line.split(":");
    return { hierarchy, controllers: controllers.split(","), path: path.join(":") };
  });
  const unifiedMount = mounts.find(({ type }) => type === "cgroup2");
  const unifiedPath = memberships.find(({ hierarchy }) => hierarchy === "0")?.path;
  if (unifiedMount !== undefined && unifiedPath !== undefined) {
    return directoryBelow(unifiedMount.path, unifiedPath);
  }
  const mount = mounts.find(({ type, options }) => type === "cgroup" && options.includes("pids"));
  const path = memberships.find(({ controllers }) => controllers.includes("pids"))?.path;
  return mount === undefined || path === undefined ? undefined : directoryBelow(mount.path, path);
}

function directoryBelow(mountPoint: string, group: string): string | undefined {
  return group.split("/").includes("..") ? undefined : resolve(join(mountPoint, group));
}

function killIfPresent(processId: number): void {
  try {
    process.kill(processId, "SIGKILL");
  } catch (error) {
    if (!hasCode(error, "ESRCH")) throw error;
  }
}
