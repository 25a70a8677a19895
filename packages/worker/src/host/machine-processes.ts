import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:fs";
import { type FileHandle, readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { layerFileName } from "../disks/create-layers.ts";
import { imagePaths } from "../disks/import-image.ts";
import { type HostPaths, monitorSocketName } from "../files/host-paths.ts";
import { goldenPaths } from "../golden/golden-snapshot.ts";
import type { Host } from "../host-calls/host.ts";
import type { NetworkBlock } from "../network/network-block.ts";
import { slotAt } from "../network/slot.ts";
import { confined, inPlace, type ProgramUser, parseProcessReport } from "../process/confinement.ts";
import {
  hasCode,
  identifyProcess,
  isAlive,
  killProcess,
  type ProcessIdentity,
  readProcFile,
} from "../process/process-identity.ts";
import { savedPaths } from "../saved-machines/saved-manifest.ts";
import type { MachineStart } from "../vm/machine-start.ts";
import { type QemuLaunch, qemuArguments } from "../vm/qemu-arguments.ts";
import { type DiskFiles, qemuConfinement } from "../vm/qemu-confinement.ts";
import { layerMounts } from "./layer-mounts.ts";
import { type FileOwners, giveFile, openOwned } from "./owned-files.ts";

const program = "qemu-system-x86_64";
/** File descriptor to which the id of QEMU's process is written. */
const reportDescriptor = 4;
const reportBytesMax = 4096;
/** The exit code of a wrapper whose program was ended by SIGKILL. */
const killedExitCode = 128 + 9;
/** The parent of a process that has ended is notified within this time. */
const endMilliseconds = 200;
/** Longest that a process may take to end once it no longer shows what it ran. */
const endingMilliseconds = 10_000;
/** Under memory pressure the host ends a sandbox before the processes of the service. */
const outOfMemoryScore = "500";
const kvmDevice = "/dev/kvm";

/** The processes of an installation's machines: started, found and ended by root. */
export function createMachineProcesses(deps: {
  installationId: string;
  block: NetworkBlock;
  dataDirectory: string;
  paths: HostPaths;
  owners: FileOwners;
}): Pick<Host, "startMachine" | "endMachine" | "endOtherMachines"> {
  const { installationId, block, paths, owners } = deps;
  const namePrefix = `opencomputer-${installationId}-`;
  /** The wrappers of machines that this process started, by the process id of QEMU. */
  const wrappers = new Map<number, ChildProcess>();

  /** Derives everything about the process of a machine from ids. */
  async function describe(start: MachineStart) {
    const { machineId, disk, savedDirectory } = start;
    const slot = slotAt(installationId, block, start.slotIndex);
    const image = imagePaths(join(paths.images, start.imageFingerprint));
    const saved =
      savedDirectory === null ? null : savedPaths(join(deps.dataDirectory, savedDirectory));
    const bootDirectory = disk.kind === "image" ? join(paths.golden, disk.directory) : null;
    const diskPath =
      disk.kind === "image"
        ? goldenPaths(join(paths.golden, disk.directory)).diskPath
        : layerFileName(disk.newestLayer);
    const consoleLogPath = bootDirectory === null ? undefined : join(bootDirectory, "console.log");
    const launch: QemuLaunch = {
      name: `${namePrefix}${machineId}`,
      shape: start.shape,
      kernel: { path: image.kernelPath, commandLine: start.kernelCommandLine },
      initramfsPath: image.initramfsPath,
      memoryPath: saved?.memoryPath ?? null,
      statePath: saved?.statePath ?? null,
      cpuCount: 1,
      diskPath,
      qmpSocketPath: join(paths.sockets, machineId, monitorSocketName),
      ...(consoleLogPath === undefined ? {} : { consoleLogPath }),
    };
    const files: DiskFiles =
      disk.kind === "image"
        ? {
            mounts: [
              ...[diskPath, consoleLogPath ?? ""].map((path) => inPlace(path, "write")),
              inPlace(image.diskPath, "read"),
            ],
            directory: bootDirectory ?? "/",
          }
        : {
            mounts: [
              ...(await layerMounts({
                linkDirectory: join(paths.disks, machineId),
                layersDirectory: paths.layers,
                newestName: diskPath,
              })),
              inPlace(goldenPaths(join(paths.golden, disk.goldenFingerprint)).diskPath, "read"),
              inPlace(image.diskPath, "read"),
            ],
            directory: paths.layers,
          };
    const written =
      disk.kind === "image" ? [diskPath, consoleLogPath ?? ""] : [join(paths.layers, diskPath)];
    const logPath = join(bootDirectory ?? join(paths.machines, machineId), "qemu.log");
    const user: ProgramUser = {
      userId: slot.userId,
      groupId: slot.userId,
      otherGroupIds: [
        owners.worker.groupId,
        ...(start.shape.accelerator === "kvm" ? [(await stat(kvmDevice)).gid] : []),
      ],
    };
    return { slot, launch, files, written, logPath, user };
  }

  return {
    async startMachine(start) {
      const { slot, launch, files, written, logPath, user } = await describe(start);
      for (const path of written) await giveFile(path, slot.userId, owners);
      const log = await openOwned(logPath, constants.O_WRONLY | constants.O_APPEND, owners);
      let state: FileHandle | undefined;
      try {
        if (launch.statePath !== null) {
          state = await openOwned(launch.statePath, constants.O_RDONLY, owners);
        }
        const confinement = qemuConfinement({
          ...{ launch, disk: files, user, reportDescriptor },
          networkNamespace: slot.name,
        });
        const command = confined([program, ...qemuArguments(launch)], confinement);
        const wrapper = await spawnDetached(command, { log, state });
        const identity = await reportedProcess(wrapper);
        wrappers.set(identity.pid, wrapper);
        wrapper.once(
          "exit",
          () => void setTimeout(() => wrappers.delete(identity.pid), 60_000).unref(),
        );
        await writeFile(`/proc/${identity.pid}/oom_score_adj`, outOfMemoryScore);
        return identity;
      } finally {
        await log.close();
        await state?.close();
      }
    },

    async endMachine(process) {
      const deadline = performance.now() + endingMilliseconds;
      while (await isAlive(process)) {
        const name = await machineName(process.pid);
        if (name?.startsWith(namePrefix) === true) {
          await killProcess(process);
          return { wasKilled: false };
        }
        // The kernel releases the command line of a process before the process has ended.
        if (performance.now() > deadline) {
          throw new Error(
            `Process ${process.pid} is not a machine of this installation, or has not ended within ${endingMilliseconds / 1000} s`,
          );
        }
        await delay(20);
      }
      const wrapper = wrappers.get(process.pid);
      return { wasKilled: wrapper !== undefined && (await wasKilled(wrapper)) };
    },

    async endOtherMachines({ processIds, machineIds }) {
      const kept = new Set(machineIds.map((id) => `${namePrefix}${id}`));
      const pids = (await readdir("/proc")).filter((entry) => /^\d+$/.test(entry)).map(Number);
      await Promise.all(
        pids.map(async (pid) => {
          const name = await machineName(pid);
          if (name?.startsWith(namePrefix) !== true || kept.has(name)) return;
          const identity = processIds.includes(pid) ? undefined : await identifyProcess(pid);
          if (identity !== undefined) await killProcess(identity);
        }),
      );
      return null;
    },
  };
}

/** Starts a process in a separate session, so that no signal to this one's group reaches it. */
async function spawnDetached(
  command: readonly string[],
  { log, state }: { log: FileHandle; state: FileHandle | undefined },
): Promise<ChildProcess> {
  const [file = "", ...rest] = command;
  const child = spawn(file, rest, {
    detached: true,
    env: { PATH: process.env["PATH"] ?? "/usr/sbin:/usr/bin:/sbin:/bin" },
    stdio: ["ignore", log.fd, log.fd, state?.fd ?? "ignore", "pipe"],
  });
  await once(child, "spawn");
  child.unref();
  return child;
}

/**
 * Waits for the wrapper to report the process of QEMU.
 *
 * @throws {Error} when the program ended before it was confined.
 */
async function reportedProcess(wrapper: ChildProcess): Promise<ProcessIdentity> {
  const report = wrapper.stdio[reportDescriptor];
  if (!(report instanceof Readable)) throw new Error("The wrapper of QEMU has no report");
  let text = "";
  for await (const chunk of report.setEncoding("utf8")) {
    text += chunk;
    if (text.length > reportBytesMax) throw new Error("The wrapper of QEMU reports too much");
  }
  const identity = text === "" ? undefined : await identifyProcess(parseProcessReport(text));
  if (identity !== undefined) return identity;
  // The whole group: QEMU may have started without being reported.
  if (wrapper.exitCode === null && wrapper.signalCode === null && wrapper.pid !== undefined) {
    process.kill(-wrapper.pid, "SIGKILL");
  }
  throw new Error("The process has ended");
}

/**
 * Whether a process that has ended, or its wrapper, was killed. The wrapper ends
 * a moment after the process.
 */
async function wasKilled(wrapper: ChildProcess): Promise<boolean> {
  if (wrapper.exitCode === null && wrapper.signalCode === null) {
    await Promise.race([once(wrapper, "exit"), delay(endMilliseconds)]);
  }
  return wrapper.signalCode === "SIGKILL" || wrapper.exitCode === killedExitCode;
}

/** The name of the machine that a process is; undefined for any other process. */
async function machineName(pid: number): Promise<string | undefined> {
  const commandLine = await readProcFile(`/proc/${pid}/cmdline`).catch((error: unknown) => {
    // The process is ending: it needs no killing.
    if (hasCode(error, "EACCES") || hasCode(error, "EPERM")) return undefined;
    throw error;
  });
  const words = commandLine?.split("\0") ?? [];
  return words[0] === program ? words[words.indexOf("-name") + 1] : undefined;
}
