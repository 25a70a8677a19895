import { access } from "node:fs/promises";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { type Confinement, inPlace, type Mount, type ProgramUser } from "../process/confinement.ts";
import type { QemuLaunch } from "./qemu-arguments.ts";

/** The files of a machine's disk, where QEMU looks for them. */
export interface DiskFiles {
  readonly mounts: readonly Mount[];
  /** QEMU's working directory: where it finds new layers of the disk. */
  readonly directory: string;
}

/** Built by the set-up, see `setup/project-steps.mjs`. */
const readOnlyMemoryLibrary = fileURLToPath(
  new URL("../../native/build/open-memory-read-only.so", import.meta.url),
);
const firmwareDirectories = ["/usr/share/qemu", "/usr/share/seabios"];
/** Where QEMU reads whether it may leave memory unreserved: its only file of `/proc`. */
const overcommitSetting = "/proc/sys/vm/overcommit_memory";
const devices = ["/dev/null", "/dev/urandom", "/dev/net/tun"];

/**
 * Confines QEMU to its program and firmware, the files of one machine, and its
 * network namespace. The memory and the layers under the newest one are shared
 * by machines: QEMU can read them, and cannot write to them.
 *
 * It is its slot's user, and in the groups that let it read what is the worker's
 * and use `/dev/kvm`. Of the worker's files it sees only those listed here.
 */
export function qemuConfinement(options: {
  launch: QemuLaunch;
  disk: DiskFiles;
  user: ProgramUser;
  networkNamespace: string;
  reportDescriptor: number;
}): Confinement {
  const { launch, disk } = options;
  const { memoryPath } = launch;
  const readable = [
    ...firmwareDirectories,
    overcommitSetting,
    launch.kernel.path,
    launch.initramfsPath,
    ...(memoryPath === null ? [] : [memoryPath, readOnlyMemoryLibrary]),
  ];
  const allDevices = launch.shape.accelerator === "kvm" ? [...devices, "/dev/kvm"] : devices;
  return {
    mounts: [
      ...readable.map((path) => inPlace(path, "read")),
      ...allDevices.map((path) => inPlace(path, "device")),
      inPlace(dirname(launch.qmpSocketPath), "write"),
      ...disk.mounts,
    ],
    workingDirectory: disk.directory,
    environment:
      memoryPath === null
        ? {}
        : { LD_PRELOAD: readOnlyMemoryLibrary, OPENCOMPUTER_MEMORY_FILE: memoryPath },
    user: options.user,
    networkNamespace: options.networkNamespace,
    // Machines outlive the worker.
    endsWithCaller: false,
    reportDescriptor: options.reportDescriptor,
  };
}

/** @throws {Error} when the library that opens memory for reading alone was not built. */
export async function assertReadOnlyMemoryLibrary(): Promise<void> {
  try {
    await access(readOnlyMemoryLibrary);
  } catch (error) {
    throw new Error(
      `${readOnlyMemoryLibrary} is missing, and no machine starts without it: run a command of package.json, such as \`npm run serve\`, whose set-up builds it.`,
      { cause: error },
    );
  }
}
