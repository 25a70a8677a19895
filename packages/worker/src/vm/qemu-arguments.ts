import { limits } from "@opencomputer/protocol/api";
import { guestNetwork } from "@opencomputer/protocol/wire";
import { slotInterfaces } from "../network/slot.ts";
import type { Accelerator, MachineShape } from "./machine-shape.ts";

/** What is needed to reach the QEMU process of a machine. */
export interface MachineAccess {
  readonly shape: MachineShape;
  readonly qmpSocketPath: string;
}

/** One QEMU process: the files and interfaces of its machine. */
export interface QemuLaunch extends MachineAccess {
  readonly name: string;
  readonly kernel: { readonly path: string; readonly commandLine: string };
  readonly initramfsPath: string;
  /** Saved base memory, which the guest changes for itself only; null for empty memory. */
  readonly memoryPath: string | null;
  /** Number of CPUs that are in the machine when its state is loaded, or when it boots. */
  readonly cpuCount: number;
  readonly diskPath: string;
  /** Devices saved beside the memory, to be loaded; null for a machine that is to boot. */
  readonly statePath: string | null;
  /** Takes the guest's console; without one its output is dropped. */
  readonly consoleLogPath?: string;
}

/** Size of translated code that a software-emulated machine may keep. */
const translationCacheMB = 128;
/**
 * Added to the image's kernel command line, so that small sandboxes can give
 * memory back: the kernel is at the bottom, and keeps its own allocations,
 * which cannot move, within the first three blocks of 128 MB. It counts without
 * holes and rounds up to 4 MB, hence 382; a block across the border would stay.
 */
export const kernelArguments = "nokaslr kernelcore=382M";
const accelerators: Readonly<Record<Accelerator, string>> = {
  kvm: "kvm",
  tcg: `tcg,thread=multi,tb-size=${translationCacheMB}`,
};
const mebi = 1024 * 1024;
/** Names in QEMU's object tree that other files use. */
export const qemuNames = {
  disk: "disk0",
  memory: "memory0",
  memoryDevice: "memory-device0",
} as const;

/**
 * The part of QEMU's arguments that is the same for every machine of a shape.
 * A snapshot restores only where it is.
 */
export function machineArguments(shape: MachineShape): string[] {
  const pluggableMB = limits.memoryMBMax - shape.baseMemoryMB;
  return [
    "-machine",
    `${shape.machineType},memory-backend=${qemuNames.memory},vmport=off,smm=off,sata=off,smbus=off,hpet=off,graphics=off`,
    "-accel",
    accelerators[shape.accelerator],
    "-cpu",
    shape.processorModel,
    "-smp",
    `1,maxcpus=${limits.cpuCountMax}`,
    "-m",
    `${shape.baseMemoryMB}M,maxmem=${limits.memoryMBMax}M`,
    // Anonymous memory: the device discards its whole backend when it is made.
    "-object",
    JSON.stringify({
      "qom-type": "memory-backend-ram",
      id: "memory1",
      size: pluggableMB * mebi,
      reserve: false,
    }),
    "-device",
    `virtio-mem-pci,id=${qemuNames.memoryDevice},memdev=memory1,requested-size=0`,
    "-device",
    `virtio-blk-pci,drive=${qemuNames.disk},disable-legacy=on`,
    "-device",
    `virtio-net-pci,netdev=net0,mac=${guestNetwork.guestMacAddress},disable-legacy=on,romfile=`,
    "-object",
    "rng-random,id=rng0,filename=/dev/urandom",
    "-device",
    "virtio-rng-pci,rng=rng0,disable-legacy=on",
    "-device",
    "isa-serial,chardev=console0",
    "-rtc",
    "base=utc",
    // A guest that reboots would come up without its configuration: its machine ends instead.
    "-action",
    "reboot=shutdown,panic=shutdown",
  ];
}

/**
 * QEMU's argument vector, for QEMU 7.2 and later. Nothing but what is listed
 * here exists in the machine: no default devices, no configuration files, one
 * monitor, which is QMP.
 */
export function qemuArguments(launch: QemuLaunch): string[] {
  return [
    "-name",
    launch.name,
    "-nodefaults",
    "-no-user-config",
    "-display",
    "none",
    "-sandbox",
    "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
    // The CPUs are paused until `cont`, also when they ran while they were saved.
    "-S",
    "-object",
    JSON.stringify({
      id: qemuNames.memory,
      size: launch.shape.baseMemoryMB * mebi,
      ...(launch.memoryPath === null
        ? { "qom-type": "memory-backend-ram" }
        : { "qom-type": "memory-backend-file", "mem-path": launch.memoryPath, share: false }),
    }),
    "-blockdev",
    JSON.stringify({
      driver: "qcow2",
      "node-name": qemuNames.disk,
      discard: "unmap",
      file: { driver: "file", filename: launch.diskPath, discard: "unmap" },
    }),
    "-netdev",
    `tap,id=net0,ifname=${slotInterfaces.guest},script=no,downscript=no,vhost=off`,
    "-chardev",
    launch.consoleLogPath === undefined
      ? "null,id=console0"
      : `file,id=console0,path=${escapeCommas(launch.consoleLogPath)}`,
    "-qmp",
    `unix:${escapeCommas(launch.qmpSocketPath)},server=on,wait=off`,
    ...machineArguments(launch.shape),
    "-kernel",
    launch.kernel.path,
    "-initrd",
    launch.initramfsPath,
    "-append",
    `${launch.kernel.commandLine} ${kernelArguments}`,
    ...(launch.statePath === null ? [] : ["-incoming", "defer"]),
  ];
}

/** QEMU's option lists end a value at a comma; a doubled comma is a literal one. */
function escapeCommas(text: string): string {
  return text.replaceAll(",", ",,");
}
