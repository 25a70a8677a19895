import { createMachinePool, type MachinePool } from "./create-machine-pool.ts";
import type { Machine, Machines } from "./create-machines.ts";
import type { Origin } from "./origin.ts";

/**
 * Machines that stand ready for what was saved, or used, lately: one for each,
 * for as many as there may be, the one used longest ago giving way.
 */
export interface Spares {
  /** Has a machine made, once it is quiet. Done already is no error. */
  prepare(id: string, source: SpareSource): void;
  /** A machine that stands ready, or a new one. */
  take(id: string, source: SpareSource): Promise<Machine>;
  /** What was saved is over, or has become another. */
  drop(id: string): Promise<void>;
  /** Tells that something more urgent goes on. */
  noteActivity(): void;
  close(): Promise<void>;
}

export interface SpareSource {
  /** What the machine is made of; undefined when that is gone. */
  readonly origin: () => Origin | undefined;
  /** Whether it may run for a moment while it waits. */
  readonly isWarm: boolean;
  /** Whether there may be several machines of it; else the one that is taken is the last. */
  readonly isShared: boolean;
}

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

  function originOf(id: string, source: SpareSource): Origin {
    const origin = source.origin();
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

  function use(id: string, source: SpareSource): Spare {
    const known = spares.get(id);
    if (known !== undefined) clearTimeout(known.expiry);
    const pool =
      known?.pool ??
      createMachinePool({
        machines,
        origin: () => originOf(id, source),
        isWarm: source.isWarm,
        size: 1,
        firstQuietMilliseconds: quietMilliseconds,
        log,
      });
    const expiry = setTimeout(() => endInBackground(id), keptMilliseconds);
    expiry.unref();
    const spare = { pool, expiry };
    spares.delete(id);
    spares.set(id, spare);
    for (const oldest of [...spares.keys()].slice(0, -sparesMax)) endInBackground(oldest);
    return spare;
  }

  return {
    prepare(id, source) {
      if (deps.isEnabled) use(id, source);
    },
    async take(id, source) {
      if (deps.isEnabled && source.isShared) return use(id, source).pool.take();
      const spare = spares.get(id);
      if (spare !== undefined) {
        clearTimeout(spare.expiry);
        spares.delete(id);
      }
      return (await spare?.pool.drain()) ?? machines.make(originOf(id, source));
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
