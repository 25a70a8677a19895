import { availableParallelism } from "node:os";
import { runOutsideTraces } from "@opencomputer/process";
import pLimit from "p-limit";
import type { Machines } from "../machines/create-machines.ts";
import type { Machine } from "../machines/machine.ts";
import type { Origin } from "../machines/origin.ts";
import { createPool } from "./create-pool.ts";
import { warmUpMachine } from "./warm-up-machine.ts";

/** Warm machines of one origin: made ahead of time, and paused. */
export interface MachinePool {
  /** A machine from the pool, or a newly restored one when the pool is empty. */
  take(): Promise<Machine>;
  /** How many machines are warm. */
  readonly readyCount: number;
  /** Notes that something more urgent than refilling is happening. */
  noteActivity(): void;
  /** Stops making machines, and returns one that is warm or is just being made. */
  drain(): Promise<Machine | undefined>;
  /** Discards the machines that were not taken. */
  close(): Promise<void>;
}

const refillQuietMilliseconds = 400;
const refillPatienceMilliseconds = 5_000;

/**
 * Keeps `size` warm machines. Few are made at once: more would only share the CPUs.
 */
export function createMachinePool(options: {
  machines: Machines;
  /** Called for each machine: the origin may have changed since the one before. */
  origin: () => Origin;
  size: number;
  firstQuietMilliseconds?: number;
  /** Called with the reason when one could not be made; the next attempt comes later. */
  onFailure: (error: unknown) => void;
  log: {
    warn(details: object, message: string): void;
    error(details: object, message: string): void;
  };
}): MachinePool {
  const { machines, log } = options;
  const restoring = pLimit(Math.max(2, availableParallelism()));
  const ended = new WeakSet<Machine>();
  let closed = false;

  async function restore(isForPool: boolean): Promise<Machine> {
    const origin = options.origin();
    const machine = await machines.make(origin);
    try {
      await machines.limit(machine, machine.record, isForPool);
      if (isForPool) await warmUpMachine(machine, origin.sandboxId);
      return machine;
    } catch (error) {
      await machines.discard(machine);
      throw error;
    }
  }

  async function discardBroken(machine: Machine): Promise<void> {
    log.warn({ machineId: machine.id }, "A machine ended in the warm pool");
    await machines
      .discard(machine)
      .catch((error: unknown) =>
        log.error({ err: error }, "A machine that ended in the warm pool could not be removed"),
      );
  }

  async function makeWarm(): Promise<Machine> {
    const machine = await restore(true);
    machine.vm?.onEnd(() => {
      ended.add(machine);
      if (!closed && pool.remove(machine)) void discardBroken(machine);
    });
    return machine;
  }

  const pool = createPool({
    size: options.size,
    // The request that took the one before does not wait for it.
    make: () => runOutsideTraces(() => restoring(makeWarm)),
    discard: (machine) => machines.discard(machine),
    quietMilliseconds: refillQuietMilliseconds,
    firstQuietMilliseconds: options.firstQuietMilliseconds ?? 0,
    patienceMilliseconds: refillPatienceMilliseconds,
    onFailure: (error) => {
      if (!closed) options.onFailure(error);
    },
  });

  return {
    async take() {
      for (;;) {
        const machine = pool.take();
        if (machine === undefined) return restoring(() => restore(false));
        if (!ended.has(machine)) return machine;
        await discardBroken(machine);
      }
    },
    get readyCount() {
      return pool.readyCount;
    },
    noteActivity: () => pool.noteActivity(),
    async drain() {
      closed = true;
      const drained = await pool.drain();
      const whole = drained.filter((machine) => !ended.has(machine));
      await Promise.all(drained.filter((machine) => ended.has(machine)).map(discardBroken));
      await Promise.all(whole.slice(1).map((machine) => machines.discard(machine)));
      return whole[0];
    },
    async close() {
      closed = true;
      await pool.close();
    },
  };
}
