import { isDeepStrictEqual } from "node:util";
import { initialScaling, type SandboxSize, type WorkerSandbox } from "@opencomputer/protocol/wire";
import type { Logger } from "pino";
import { waitForAll } from "../../concurrency/repeating-task.ts";
import type { Worker } from "../../worker/workers.ts";
import { agrees } from "../lifecycle/reconcile-sandbox.ts";
import type { SandboxLifecycle } from "../lifecycle/sandbox-lifecycle.ts";
import type {
  SandboxMaintenanceRepository,
  SizedSandbox,
} from "../rows/sandbox-maintenance-repository.ts";
import { presentStates } from "../rows/sandbox-states.ts";

/** What a pass waits for its sandboxes. One may take minutes: its guest has to take part. */
const waitMilliseconds = 5_000;

/**
 * Reconciles rows with machines: a row that has another state than its
 * machine is reconciled, one of another size follows it, and a machine of a
 * stopped sandbox is deleted. A machine without a row is kept, and reported:
 * the database may be an older one, restored from a backup.
 *
 * The rows are read before and after the machines, so that a create or a kill
 * under way is mistaken for neither. A sandbox that is held is left to its holder:
 * so one that was not reconciled when an earlier pass returned is not begun again.
 */
export function createReconcileWithWorker(
  deps: {
    maintenance: Pick<SandboxMaintenanceRepository, "listOwned" | "setSize" | "whichStopped">;
    workers: { all(): readonly Pick<Worker, "list" | "delete">[] };
    lifecycle: Pick<SandboxLifecycle, "isHeld" | "reconcile">;
    logger: Logger;
  },
  options = { waitMilliseconds },
): () => Promise<void> {
  const { maintenance, workers, lifecycle, logger } = deps;
  const reported = new Set<string>();

  /** Never rejects. */
  async function reconcile({ orgId, id }: SizedSandbox): Promise<void> {
    try {
      await lifecycle.reconcile(orgId, id);
    } catch (error) {
      logger.warn({ sandboxId: id, err: error }, "a sandbox is reconciled at the next pass");
    }
  }

  return async () => {
    const rows = await maintenance.listOwned(presentStates);
    const machines = new Map<string, { machine: WorkerSandbox; worker: Pick<Worker, "delete"> }>();
    for (const worker of workers.all()) {
      for (const machine of await worker.list())
        machines.set(machine.sandboxId, { machine, worker });
    }
    const known = await maintenance.listOwned(["creating", "killing", ...presentStates]);
    const knownIds = new Set(known.map(({ id }) => id));

    const reconciling: Promise<void>[] = [];
    for (const row of rows) {
      if (row.isHeld || lifecycle.isHeld(row.id)) continue;
      const machine = machines.get(row.id)?.machine;
      if (agrees(row, machine)) {
        if (machine?.size !== undefined && hasOtherSize(row, machine.size)) {
          await maintenance.setSize(row, machine.size);
        }
        continue;
      }
      reconciling.push(reconcile(row));
    }
    await waitForAll(reconciling, options.waitMilliseconds);

    const others = [...machines].filter(([sandboxId]) => !knownIds.has(sandboxId));
    const stopped = await maintenance.whichStopped(others.map(([sandboxId]) => sandboxId));
    for (const [sandboxId, { worker }] of others) {
      if (stopped.has(sandboxId)) {
        logger.warn({ sandboxId }, "the machine of a stopped sandbox is deleted");
        await worker.delete(sandboxId);
      } else if (!reported.has(sandboxId)) {
        reported.add(sandboxId);
        logger.error({ sandboxId }, "a machine has no sandbox in the database; it is kept");
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
