import type { MachineUsage } from "@opencomputer/protocol/wire";
import type { Layers } from "../disks/create-layers.ts";
import type { Machine } from "../machines/machine.ts";
import { slotInterfaces } from "../network/slot.ts";
import { cpuMillisecondsOf } from "../process/cpu-time.ts";
import { parseProcessStat, readProcFile } from "../process/process-identity.ts";

/** On x86-64. */
const pageBytes = 4096;

/**
 * Reads what a machine has taken of the host. All of it is in files that every user may
 * read, so that it takes no call of the host process, and no control group.
 *
 * @returns undefined when its process has ended, or no sandbox has it yet.
 */
export async function readMachine(
  machine: Machine,
  deps: {
    layers: Pick<Layers, "bytesOf">;
    readFile?: typeof readProcFile;
    now?: () => number;
  },
): Promise<Omit<MachineUsage, "hasEnded"> | undefined> {
  const { layers, readFile = readProcFile, now = Date.now } = deps;
  const { process, sandbox, machineId, startedAtUnixMilliseconds, disk } = machine.record;
  if (sandbox === null || machineId === null) return undefined;
  const directory = `/proc/${process.pid}`;
  const [stat = "", memory = "", network = "", diskBytes] = await Promise.all([
    readFile(`${directory}/stat`),
    readFile(`${directory}/statm`),
    readFile(`${directory}/net/dev`),
    layers.bytesOf(disk.layers, () => false),
  ]);
  if (parseProcessStat(process.pid, stat)?.startTicks !== process.startTicks) return undefined;
  const cpuMilliseconds = cpuMillisecondsOf(stat);
  const memoryBytes = residentBytesOf(memory);
  const passed = passedBytesOf(network, slotInterfaces.guest);
  if (cpuMilliseconds === undefined || memoryBytes === undefined || passed === undefined) {
    return undefined;
  }
  const readAt = now();
  return {
    sandboxId: sandbox.sandboxId,
    machineId,
    startedAt: new Date(startedAtUnixMilliseconds ?? readAt).toISOString(),
    readAt: new Date(readAt).toISOString(),
    ...{ cpuMilliseconds, memoryBytes, diskBytes },
    // What the host receives at its end of the guest's interface, the guest has sent.
    networkReceivedBytes: passed.sentBytes,
    networkSentBytes: passed.receivedBytes,
  };
}

/** Field `resident` of `/proc/<pid>/statm`, proc_pid_statm(5). */
export function residentBytesOf(statm: string): number | undefined {
  return wholeNumber(statm.split(" ")[1], pageBytes);
}

/** The counters of an interface in `/proc/<pid>/net/dev`, as the host sees them. */
export function passedBytesOf(
  text: string,
  interfaceName: string,
): { receivedBytes: number; sentBytes: number } | undefined {
  for (const line of text.split("\n")) {
    const [name, counters] = line.split(":");
    if (name?.trim() !== interfaceName || counters === undefined) continue;
    const fields = counters.trim().split(/\s+/);
    const receivedBytes = wholeNumber(fields[0]);
    const sentBytes = wholeNumber(fields[8]);
    if (receivedBytes === undefined || sentBytes === undefined) return undefined;
    return { receivedBytes, sentBytes };
  }
  return undefined;
}

function wholeNumber(text: string | undefined, factor = 1): number | undefined {
  if (text === undefined || !/^\d+$/.test(text)) return undefined;
  const number = Number(text) * factor;
  return Number.isSafeInteger(number) ? number : undefined;
}
