import type { Machines } from "../machines/create-machines.ts";
import type { Machine } from "../machines/machine.ts";
import type { Origin } from "../machines/origin.ts";
import { createMachinePool, type MachinePool } from "./create-machine-pool.ts";

/**
 * Warm machines for what was saved or used lately: one for each saved machine, up
 * to a maximum, beyond which the least recently used one is discarded.
 */
export interface WarmMachines {
  /** Has a machine made once it is quiet, unless one is warm already. */
  prepare(id: string, origin: WarmOrigin): void;
  /** Takes a warm machine, or makes one. The next one is made in the background. */
  take(id: string, origin: WarmOrigin): Promise<Machine>;
  /** Takes the machine that is warm or just being made, if there is one. No more are made. */
  takeLast(id: string): Promise<Machine | undefined>;
  /** Discards the warm machine: what it was made from was removed or replaced. */
  drop(id: string): Promise<void>;
  /** Notes that something more urgent is happening. */
  noteActivity(): void;
  close(): Promise<void>;
}

/**
 * What a machine is made from; undefined when that was removed. The machine runs for
 * a moment to become warm, so it must write into a layer that only it has.
 */
export type WarmOrigin = () => Origin | undefined;

interface WarmMachine {
  readonly pool: MachinePool;
  expiry: NodeJS.Timeout;
}

const warmMachinesMax = 4;
const keptMilliseconds = 120_000;
/** What was saved is often used at once: making a warm machine meanwhile would slow that down. */
const quietMilliseconds = 400;

/** @param deps.isEnabled False makes every machine when it is needed. */
export function createWarmMachines(deps: {
  machines: Machines;
  isEnabled: boolean;
  log: {
    warn(details: object, message: string): void;
    error(details: object, message: string): void;
  };
}): WarmMachines {
  const { machines, log } = deps;
  /** In the order of their last use. */
  const warmMachines = new Map<string, WarmMachine>();

  function existing(id: string, warmOrigin: WarmOrigin): Origin {
    const origin = warmOrigin();
    if (origin === undefined) throw new Error(`The saved machine ${id} was removed`);
    return origin;
  }

  function end(id: string): Promise<void> | undefined {
    const warm = warmMachines.get(id);
    if (warm === undefined) return undefined;
    clearTimeout(warm.expiry);
    warmMachines.delete(id);
    return warm.pool.close();
  }

  function endInBackground(id: string): void {
    end(id)?.catch((error: unknown) =>
      log.error({ saved: id, err: error }, "A warm machine could not be discarded"),
    );
  }

  /** A failure is not tried again: guests decide how much each attempt costs. */
  function newPool(id: string, origin: WarmOrigin): MachinePool {
    const pool = createMachinePool({
      machines,
      origin: () => existing(id, origin),
      size: 1,
      firstQuietMilliseconds: quietMilliseconds,
      onFailure(error) {
        log.warn({ saved: id, err: error }, "A warm machine could not be made");
        if (warmMachines.get(id)?.pool === pool) endInBackground(id);
      },
      log,
    });
    return pool;
  }

  function use(id: string, origin: WarmOrigin): WarmMachine {
    const known = warmMachines.get(id);
    if (known !== undefined) clearTimeout(known.expiry);
    const pool = known?.pool ?? newPool(id, origin);
    const expiry = setTimeout(() => endInBackground(id), keptMilliseconds);
    expiry.unref();
    const warm = { pool, expiry };
    warmMachines.delete(id);
    warmMachines.set(id, warm);
    for (const oldest of [...warmMachines.keys()].slice(0, -warmMachinesMax))
      endInBackground(oldest);
    return warm;
  }

  return {
    prepare(id, origin) {
      if (deps.isEnabled) use(id, origin);
    },
    async take(id, origin) {
      const made = existing(id, origin);
      return deps.isEnabled ? use(id, origin).pool.take() : machines.make(made);
    },
    async takeLast(id) {
      const warm = warmMachines.get(id);
      if (warm === undefined) return undefined;
      clearTimeout(warm.expiry);
      warmMachines.delete(id);
      return warm.pool.drain();
    },
    async drop(id) {
      await end(id);
    },
    noteActivity() {
      for (const { pool } of warmMachines.values()) pool.noteActivity();
    },
    async close() {
      await Promise.all([...warmMachines.keys()].map(end));
    },
  };
}
