import { chmod, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { monitorSocketName } from "../files/host-paths.ts";
import type { AgentClient } from "../guest/agent-client.ts";
import type { Slot } from "../network/slot.ts";
import type { VirtualMachine } from "../vm/virtual-machine.ts";
import type { MachineRecord } from "./machine-record.ts";

/** A machine with all that it holds of the host. */
export interface Machine {
  readonly id: string;
  readonly slot: Slot;
  /** Undefined for one that had ended before its worker came back. */
  readonly vm: VirtualMachine | undefined;
  readonly agent: AgentClient;
  /** As it is on the disk. */
  record: MachineRecord;
}

/** Who holds the layers of a machine. */
export const layerOwnerOf = (machineId: string) => `machine ${machineId}`;

/** Where the files and sockets of a machine are. */
export function machinePaths(directories: { machines: string; sockets: string }) {
  const directoryOf = (id: string) => join(directories.machines, id);
  const socketDirectoryOf = (id: string) => join(directories.sockets, id);
  return {
    directoryOf,
    recordPath: (id: string) => join(directoryOf(id), "machine.json"),
    logPath: (id: string) => join(directoryOf(id), "qemu.log"),
    socketDirectoryOf,
    socketPath: (id: string) => join(socketDirectoryOf(id), monitorSocketName),
  };
}

/** New sockets there have the worker's group, which the machine's process is in too. */
const sharedByGroup = 0o2770;

/** Makes the directory in which the worker and the machine's process make the machine's sockets. */
export async function makeSocketDirectory(directory: string): Promise<void> {
  await mkdir(directory);
  await chmod(directory, sharedByGroup);
}
