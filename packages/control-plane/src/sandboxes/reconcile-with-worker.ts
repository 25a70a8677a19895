import { isDeepStrictEqual } from "node:util";
import { initialScaling, type SandboxSize } from "@opencomputer/protocol";
import type { Logger } from "pino";
import type { WorkerClient } from "../worker/worker-client.ts";
import type { SandboxLifecycle } from "./sandbox-lifecycle.ts";
import type { SandboxUpkeepRepository, SizedSandbox } from "./sandbox-repository.ts";
import { presentStates } from "./sandbox-states.ts";
import { agrees } from "./settle-sandbox.ts";

/**
 * Brings rows and machines together: a row that has another state than its
 * machine is settled, one of another size follows it, and a machine of a
 * stopped sandbox is deleted. A machine without a row stays, and is reported:
 * the database may be an older one, put back from a backup.
 *
 * The rows are read before and after the machines, so that a create or a kill
 * under way is taken for neither. What is held is left to who holds it.
 */
export function createReconcileWithWorker(deps: {
  upkeep: SandboxUpkeepRepository;
  worker: WorkerClient;
  lifecycle: SandboxLifecycle;
  logger: Logger;
}): () => Promise<void> {
  const { upkeep, worker, lifecycle, logger } = deps;
  const reported = new Set<string>();

  return async () => {
    const rows = await upkeep.listOwned(presentStates);
    const machines = new Map((await worker.list()).map((machine) => [machine.sandboxId, machine]));
    const known = await upkeep.listOwned(["creating", "killing", ...presentStates]);
    const knownIds = new Set(known.map(({ id }) => id));

    for (const row of rows) {
      if (lifecycle.isHeld(row.id)) continue;
      const machine = machines.get(row.id);
      if (agrees(row, machine)) {
        if (machine?.size !== undefined && hasOtherSize(row, machine.size)) {
          await upkeep.setSize(row, machine.size);
        }
        continue;
      }
      try {
        await lifecycle.settle(row.orgId, row.id);
      } catch (error) {
        logger.warn({ sandboxId: row.id, err: error }, "a sandbox is settled at the next upkeep");
      }
    }

    const others = [...machines.keys()].filter((sandboxId) => !knownIds.has(sandboxId));
    const stopped = await upkeep.whichStopped(others);
    for (const sandboxId of others) {
      if (stopped.has(sandboxId)) {
        logger.warn({ sandboxId }, "the machine of a stopped sandbox is deleted");
        await worker.delete(sandboxId);
      } else if (!reported.has(sandboxId)) {
        reported.add(sandboxId);
        logger.error({ sandboxId }, "a machine has no sandbox in the database; it stays");
      }
    }
  };
}

/** Autoscale and the guest change the size without the control plane. */
function hasOtherSize({ memoryMB, scaling }: SizedSandbox, size: SandboxSize): boolean {
  const isInitial = isDeepStrictEqual(size.scaling, initialScaling(memoryMB));
  return (
    memoryMB !== size.memoryMB ||
    !(scaling === null ? isInitial : isDeepStrictEqual(scaling, size.scaling))
  );
}
