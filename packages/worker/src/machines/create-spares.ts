import { createMachinePool, type MachinePool } from "./create-machine-pool.ts";
import type { Machine, Machines } from "./create-machines.ts";
import type { Origin } from "./origin.ts";

/**
 * Machines that stand ready for what was saved, or used, lately: one for each,
 * for as many as there may be, the one used longest ago giving way.
 */
export interface Spares {
  /** Has a machine made, once it is quiet. Done already is no error. */
  prepare(id: string, origin: SpareOrigin): void;
  /** A machine that stands ready, or a new one. The next one is made. */
  take(id: string, origin: SpareOrigin): Promise<Machine>;
  /** A machine that stands ready, or is just being made. No more are made. */
  takeLast(id: string): Promise<Machine | undefined>;
  /** What was saved is over, or has become another. */
  drop(id: string): Promise<void>;
  /** Tells that something more urgent goes on. */
  noteActivity(): void;
  close(): Promise<void>;
}

/**
 * What a machine is made of; undefined when that is gone. It runs for a moment
 * while it waits, so it must write into a layer of its own.
 */
export type SpareOrigin = () => Origin | undefined;

interface Spare {
  readonly pool: MachinePool;
  expiry: NodeJS.Timeout;
}

const sparesMax = 4;
const keptMilliseconds = 120_000;
/** What was saved is often used at once: making the machine would only be in the way. */
const quietMilliseconds = 400;

/** `isEnabled` false: every machine is made when it is asked for. */
export function createSpares(deps: {
  machines: Machines;
  isEnabled: boolean;
  log: {
    warn(details: object, message: string): void;
    error(details: object, message: string): void;
  };
}): Spares {
  const { machines, log } = deps;
  /** In the order of their last use. */
  const spares = new Map<string, Spare>();

  function existing(id: string, spareOrigin: SpareOrigin): Origin {
    const origin = spareOrigin();
    if (origin === undefined) throw new Error(`What was saved as ${id} is gone`);
    return origin;
  }

  function end(id: string): Promise<void> | undefined {
    const spare = spares.get(id);
    if (spare === undefined) return undefined;
    clearTimeout(spare.expiry);
    spares.delete(id);
    return spare.pool.close();
  }

  function endInBackground(id: string): void {
    end(id)?.catch((error: unknown) =>
      log.error({ saved: id, err: error }, "A machine that stood ready could not be discarded"),
    );
  }

  /** What cannot be made once is not tried again: guests decide how much it takes. */
  function newPool(id: string, origin: SpareOrigin): MachinePool {
    const pool = createMachinePool({
      machines,
      origin: () => existing(id, origin),
      size: 1,
      firstQuietMilliseconds: quietMilliseconds,
      onFailure(error) {
        log.warn({ saved: id, err: error }, "A machine could not be made to stand ready");
        if (spares.get(id)?.pool === pool) endInBackground(id);
      },
      log,
    });
    return pool;
  }

  function use(id: string, origin: SpareOrigin): Spare {
    const known = spares.get(id);
    if (known !== undefined) clearTimeout(known.expiry);
    const pool = known?.pool ?? newPool(id, origin);
    const expiry = setTimeout(() => endInBackground(id), keptMilliseconds);
    expiry.unref();
    const spare = { pool, expiry };
    spares.delete(id);
    spares.set(id, spare);
    for (const oldest of [...spares.keys()].slice(0, -sparesMax)) endInBackground(oldest);
    return spare;
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
      const spare = spares.get(id);
      if (spare === undefined) return undefined;
      clearTimeout(spare.expiry);
      spares.delete(id);
      return spare.pool.drain();
    },
    async drop(id) {
      await end(id);
    },
    noteActivity() {
      for (const { pool } of spares.values()) pool.noteActivity();
    },
    async close() {
      await Promise.all([...spares.keys()].map(end));
    },
  };
}
