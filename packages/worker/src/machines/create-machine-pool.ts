import { availableParallelism } from "node:os";
import type { GoldenSnapshot } from "../golden/golden-snapshot.ts";
import { createLimiter } from "../pool/create-limiter.ts";
import { createPool } from "../pool/create-pool.ts";
import type { Accelerator } from "../vm/qemu-arguments.ts";
import type { Machine, Machines } from "./create-machines.ts";
import { freshMachine } from "./origin.ts";
import { warmMachine } from "./warm-machine.ts";

/** Paused machines of one golden snapshot. */
export interface MachinePool {
  readonly golden: GoldenSnapshot;
  /** A machine from the pool, or a newly restored one when the pool is empty. */
  take(): Promise<Machine>;
  /** Tells that something more urgent than refilling goes on. */
  noteActivity(): void;
  /** Discards the machines that nobody took. */
  close(): Promise<void>;
}

const refillQuietMilliseconds = 400;
const refillPatienceMilliseconds = 5_000;

/** Keeps `size` machines restored and warm. Few are restored at once: more would only share the CPUs. */
export function createMachinePool(options: {
  machines: Machines;
  golden: GoldenSnapshot;
  accelerator: Accelerator;
  size: number;
  log: {
    warn(details: object, message: string): void;
    error(details: object, message: string): void;
  };
}): MachinePool {
  const { machines, golden, accelerator, log } = options;
  const restoring = createLimiter(Math.max(2, availableParallelism()));
  const ended = new WeakSet<Machine>();
  let closed = false;

  async function restore(isForPool: boolean): Promise<Machine> {
    const machine = await machines.make(freshMachine(golden, accelerator));
    try {
      const size = { cpuCount: 1, memoryMB: golden.baseMemoryMB };
      await machines.limit(machine, size, isForPool);
      if (isForPool) await warmMachine(machine);
      return machine;
    } catch (error) {
      await machines.discard(machine);
      throw error;
    }
  }

  async function discardBroken(machine: Machine): Promise<void> {
    log.warn({ machineId: machine.id }, "A machine ended while it waited in the pool");
    await machines
      .discard(machine)
      .catch((error: unknown) => log.error({ err: error }, "It could not be removed"));
  }

  const pool = createPool({
    size: options.size,
    make: () =>
      restoring(async () => {
        const machine = await restore(true);
        machine.vm?.onEnd(() => {
          ended.add(machine);
          if (!closed && pool.remove(machine)) void discardBroken(machine);
        });
        return machine;
      }),
    discard: (machine) => machines.discard(machine),
    quietMilliseconds: refillQuietMilliseconds,
    patienceMilliseconds: refillPatienceMilliseconds,
    onFailure: (error) => {
      if (!closed) log.error({ err: error }, "A machine for the pool could not be made");
    },
  });

  return {
    golden,
    async take() {
      for (;;) {
        const machine = pool.take();
        if (machine === undefined) return restoring(() => restore(false));
        if (!ended.has(machine)) return machine;
        await discardBroken(machine);
      }
    },
    noteActivity: () => pool.noteActivity(),
    async close() {
      closed = true;
      await pool.close();
    },
  };
}
