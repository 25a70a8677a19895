import { isDeep } from "../../disks/create-layers.ts";
import type { Machines } from "../../machines/create-machines.ts";
import type { Machine } from "../../machines/machine.ts";
import type { Sandbox } from "../registry/sandbox.ts";

/** Keeps the disks of running sandboxes shallow, which each checkpoint makes deeper by a layer. */
export interface RunningDisks {
  /** Flattens the disk of a running sandbox in the background, if it is deep. */
  flattenDeep(sandbox: Sandbox): void;
  /** Returns when the disk may become deeper: at once, unless flattening cannot keep up. */
  mayDeepen(sandbox: Sandbox): Promise<void>;
}

/** Layers that a disk may have while it is flattened. */
const layersMaxMeanwhile = 24;

export function createRunningDisks(deps: {
  machines: Pick<Machines, "flatten">;
  /** Runs a change of a sandbox when those before it are done. */
  change: (sandboxId: string, work: () => Promise<void>) => Promise<void>;
  log: { warn(details: object, message: string): void };
}): RunningDisks {
  const { machines, change, log } = deps;
  const flattenings = new Map<Machine, Promise<void>>();

  async function flatten(sandbox: Sandbox, machine: Machine): Promise<void> {
    const { sandboxId } = sandbox.spec;
    const isOutdated = () => sandbox.isRemoved || sandbox.machine !== machine;
    try {
      // A layer that was added meanwhile makes another pass necessary.
      while (!isOutdated() && isDeep(machine.record.disk)) {
        await machines.flatten(machine, (exchange) =>
          change(sandboxId, async () => {
            if (!isOutdated()) await exchange();
          }),
        );
      }
    } catch (error) {
      if (!isOutdated())
        log.warn({ sandboxId, err: error }, "A running disk could not be flattened");
    }
  }

  return {
    flattenDeep(sandbox) {
      const { machine } = sandbox;
      if (machine === undefined || flattenings.has(machine)) return;
      const flattening = flatten(sandbox, machine).finally(() => flattenings.delete(machine));
      flattenings.set(machine, flattening);
    },
    async mayDeepen({ machine }) {
      if (machine === undefined) return;
      if (machine.record.disk.layers.length >= layersMaxMeanwhile) await flattenings.get(machine);
    },
  };
}
