// @ts-check
import { accessSync, constants, existsSync, statfsSync, statSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import process from "node:process";
import { SetupError } from "./setup-error.mjs";

/** The oldest that every library in use takes. */
const nodeVersionMin = [20, 18, 1];
const gibibyte = 1024 ** 3;

/**
 * What a machine looks like, as far as it matters before anything is changed.
 *
 * @typedef {object} Machine
 * @property {string} platform
 * @property {string} architecture
 * @property {string} nodeVersion
 * @property {number} userId
 * @property {boolean} hasTunDevice
 * @property {(name: string) => boolean} hasCommand
 * @property {(path: string) => number} freeBytes free space of the file system that would hold the path
 */

/**
 * Finds the first requirement that this machine does not meet, as one sentence
 * that says what to do; `undefined` when it meets them all.
 *
 * @param {Machine} machine
 * @param {{ diskNeeds: { path: string, bytes: number }[], needsRoot: boolean }} needs
 * @returns {string | undefined}
 */
export function findObstacle(machine, needs) {
  if (isOlder(machine.nodeVersion, nodeVersionMin)) {
    return `Node ${nodeVersionMin.join(".")} or newer is needed, and this is Node ${machine.nodeVersion}: install a newer one, for example from https://nodejs.org.`;
  }
  if (!needs.needsRoot) return undefined;
  if (machine.platform !== "linux") {
    return `OpenComputer runs its virtual machines on Linux, and this is ${machine.platform}: use a Linux machine or a Linux VM with root.`;
  }
  if (machine.architecture !== "x64") {
    return `OpenComputer's guests are x86-64, and this machine is ${machine.architecture}: use an x86-64 machine.`;
  }
  if (machine.userId !== 0) {
    return "Root is needed for network namespaces and TUN devices: run the same command with sudo, or as root.";
  }
  if (!machine.hasTunDevice) {
    return "/dev/net/tun is missing, and without it a virtual machine has no network: run `modprobe tun`, or give this container the device (--device /dev/net/tun --cap-add NET_ADMIN).";
  }
  if (!machine.hasCommand("apt-get")) {
    return "apt-get is missing, and the set-up installs its system packages with it: use Debian 12 or newer, or a distribution made from it.";
  }
  for (const { path, bytes } of needs.diskNeeds) {
    const free = machine.freeBytes(path);
    if (free < bytes) {
      return `${path} needs ${(bytes / gibibyte).toFixed(1)} GiB of disk, and ${(free / gibibyte).toFixed(1)} GiB are free: free some space, or point OPENCOMPUTER_DATA_DIR at a larger disk.`;
    }
  }
  return undefined;
}

/**
 * @param {string} version
 * @param {number[]} minimum
 */
function isOlder(version, minimum) {
  const parts = version.split(".").map(Number);
  const differing = minimum.findIndex((part, index) => part !== parts[index]);
  return differing !== -1 && (parts[differing] ?? 0) < (minimum[differing] ?? 0);
}

/**
 * @param {{ diskNeeds: { path: string, bytes: number }[], needsRoot: boolean }} needs
 * @throws {SetupError} with the obstacle's sentence
 */
export function preflight(needs) {
  const obstacle = findObstacle(thisMachine(), needs);
  if (obstacle !== undefined) throw new SetupError(obstacle);
}

/** @returns {Machine} */
function thisMachine() {
  return {
    platform: process.platform,
    architecture: process.arch,
    nodeVersion: process.versions.node,
    userId: process.getuid?.() ?? -1,
    hasTunDevice: existsSync("/dev/net/tun") && statSync("/dev/net/tun").isCharacterDevice(),
    hasCommand: (name) => findCommand(name) !== undefined,
    freeBytes: (path) => {
      const stats = statfsSync(nearestExisting(path));
      return stats.bavail * stats.bsize;
    },
  };
}

/**
 * The path of a command, as the shell would find it.
 *
 * @param {string} name
 */
export function findCommand(name) {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  return [...folders, "/usr/sbin", "/sbin"]
    .map((folder) => join(folder, name))
    .find((path) => isExecutable(path));
}

/** @param {string} path */
function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch (error) {
    if (error instanceof Error && "code" in error) return false;
    throw error;
  }
}

/** @param {string} path @returns {string} */
function nearestExisting(path) {
  return existsSync(path) ? path : nearestExisting(dirname(path));
}
