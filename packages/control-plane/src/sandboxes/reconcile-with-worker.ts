import type { Logger } from "pino";
import type { ProxyHandOver } from "../egress-proxy/proxy-hand-over.ts";
import type { WorkerClient } from "../worker/worker-client.ts";
import type { SandboxRemoval } from "./sandbox-removal.ts";
import type { SandboxRepository, SandboxUpkeepRepository } from "./sandbox-repository.ts";

/**
 * Brings rows and machines together: a running row without a machine, or
 * with one that ended by itself, is stopped; a machine without a row is
 * deleted; a machine that has come by another address gets its session there.
 *
 * The rows are read before and after the machines, so that a create or a kill
 * under way is taken for neither.
 */
export function createReconcileWithWorker(deps: {
  sandboxes: SandboxRepository;
  upkeep: SandboxUpkeepRepository;
  worker: WorkerClient;
  handOver: ProxyHandOver;
  removal: SandboxRemoval;
  logger: Logger;
}): () => Promise<void> {
  const { sandboxes, upkeep, worker, handOver, removal, logger } = deps;

  return async () => {
    const running = await upkeep.listOwned(["running"]);
    const machines = new Map((await worker.list()).map((machine) => [machine.sandboxId, machine]));
    const known = new Map(
      (await upkeep.listOwned(["creating", "running", "killing"])).map((row) => [
        row.id,
        row.state,
      ]),
    );

    for (const { id, orgId, sourceAddress } of running) {
      const machine = machines.get(id);
      if (known.get(id) !== "running") continue;
      if (machine === undefined || machine.state === "failed") {
        const reason = machine === undefined ? "unknown to the worker" : "its machine failed";
        logger.error({ sandboxId: id, reason }, "a running sandbox has no machine");
        await removal.kill(orgId, id, reason);
      } else if (machine.sourceAddress !== sourceAddress) {
        await sandboxes.change(orgId, id, ["running"], { sourceAddress: machine.sourceAddress });
        await handOver.putSession(orgId, id);
      }
    }

    for (const sandboxId of machines.keys()) {
      if (known.has(sandboxId)) continue;
      logger.warn({ sandboxId }, "a machine without a sandbox is deleted");
      await worker.delete(sandboxId);
    }
  };
}
