import { type MachineUsage, serviceLimits } from "@opencomputer/protocol/wire";
import pLimit from "p-limit";
import type { Machine } from "../machines/machine.ts";

/** Reads what machines take of the host. */
export interface UsageMeter {
  /** The usage of these machines, and the last of those that have ended lately. */
  read(machines: readonly Machine[]): Promise<MachineUsage[]>;
  /** Takes the last reading of a machine, just before it ends. Never rejects. */
  readLast(machine: Machine): Promise<void>;
}

type Reading = Omit<MachineUsage, "hasEnded">;

/** Machines that are read at a time: each takes a few open files. */
const concurrentReadingsMax = 32;

/** @param readMachine Returns undefined for a machine that has ended, or runs for no sandbox. */
export function createUsageMeter(deps: {
  readMachine: (machine: Machine) => Promise<Reading | undefined>;
  log: { warn(details: object, message: string): void };
  now?: () => number;
}): UsageMeter {
  const { now = Date.now, log } = deps;
  const inTurn = pLimit(concurrentReadingsMax);
  /** The last readings of ended machines, by machine, oldest first. */
  const ended = new Map<string, Reading>();

  /** A machine that cannot be read, such as one that ends meanwhile, is left out. */
  async function tryToRead(machine: Machine): Promise<Reading | undefined> {
    try {
      return await deps.readMachine(machine);
    } catch (error) {
      log.warn({ machineId: machine.id, err: error }, "The usage of a machine cannot be read");
      return undefined;
    }
  }

  function forgetOld(): void {
    const oldest = now() - serviceLimits.endedMachineSecondsMax * 1000;
    for (const [machineId, { readAt }] of ended) {
      const isKept = Date.parse(readAt) >= oldest && ended.size <= serviceLimits.endedMachinesMax;
      if (isKept) return;
      ended.delete(machineId);
    }
  }

  return {
    async read(machines) {
      const read = await Promise.all(machines.map((one) => inTurn(() => tryToRead(one))));
      forgetOld();
      const running = read.flatMap((one) =>
        one === undefined || ended.has(one.machineId) ? [] : [{ ...one, hasEnded: false }],
      );
      return [...running, ...[...ended.values()].map((one) => ({ ...one, hasEnded: true }))];
    },

    async readLast(machine) {
      const reading = await tryToRead(machine);
      if (reading === undefined) return;
      ended.set(reading.machineId, reading);
      forgetOld();
    },
  };
}
