import { WireError } from "@opencomputer/protocol";
import type { Logger } from "pino";
import type { ProxyHandOver } from "../egress-proxy/proxy-hand-over.ts";
import type { PreviewRepository } from "../previews/preview-repository.ts";
import { PeerAbsentError } from "../unix-socket-client.ts";
import type { WorkerClient } from "../worker/worker-client.ts";
import { releaseSandbox } from "./release-sandbox.ts";
import type { SandboxActivity } from "./sandbox-activity.ts";
import type { SandboxRepository, SandboxUpkeepRepository } from "./sandbox-repository.ts";
import { keptStates, presentStates } from "./sandbox-states.ts";

/**
 * Takes sandboxes away. The row is marked first: whatever happens after it,
 * the sandbox gets no session again, and the upkeep goes on until the
 * machine is gone too.
 */
export interface SandboxRemoval {
  /**
   * Kills a sandbox in whatever state it is; one that is stopped already stays so.
   *
   * @throws {WireError} `sandbox_not_found`; `worker_unavailable` when the mark
   * is set and the machine has to wait for the worker.
   */
  kill(orgId: string, sandboxId: string, reason: string): Promise<void>;
  /** Undoes a create, without a trace when the worker answers. Never rejects. */
  discard(orgId: string, sandboxId: string): Promise<void>;
  /** Marks the creates of an earlier process, which nobody waits for, to be taken away. */
  abandonCreates(): Promise<void>;
  /** Completes what an earlier process or an absent worker left. Never rejects. */
  finishInterrupted(): Promise<void>;
}

export function createSandboxRemoval(deps: {
  sandboxes: SandboxRepository;
  previews: Pick<PreviewRepository, "deleteAll">;
  upkeep: SandboxUpkeepRepository;
  worker: WorkerClient;
  handOver: ProxyHandOver;
  activity: SandboxActivity;
  logger: Logger;
}): SandboxRemoval {
  const { sandboxes, upkeep, activity, logger } = deps;

  async function release(sandboxId: string): Promise<void> {
    try {
      await releaseSandbox(deps, sandboxId);
    } finally {
      activity.forget(sandboxId);
    }
  }

  async function stop(orgId: string, sandboxId: string): Promise<void> {
    await release(sandboxId);
    await sandboxes.deleteSecrets(orgId, sandboxId);
    await deps.previews.deleteAll(orgId, sandboxId);
    await sandboxes.change(orgId, sandboxId, ["killing"], {
      state: "stopped",
      stoppedAt: new Date(),
    });
  }

  return {
    async kill(orgId, sandboxId, reason) {
      const sandbox = await sandboxes.find(orgId, sandboxId);
      if (sandbox === undefined || sandbox.state === "creating") {
        throw new WireError("sandbox_not_found", `sandbox not found: ${sandboxId}`);
      }
      if (sandbox.state === "stopped") return;
      await sandboxes.change(orgId, sandboxId, presentStates, { state: "killing" });
      try {
        await stop(orgId, sandboxId);
      } catch (error) {
        if (!(error instanceof PeerAbsentError)) throw error;
        throw new WireError(
          "worker_unavailable",
          `Sandbox ${sandboxId} is marked and cut off; its machine goes as soon as the worker runs again`,
          { cause: error },
        );
      }
      logger.info({ sandboxId, reason }, "sandbox stopped");
    },

    async discard(orgId, sandboxId) {
      try {
        await sandboxes.change(orgId, sandboxId, keptStates, { state: "killing" });
        await release(sandboxId);
        await sandboxes.delete(orgId, sandboxId);
      } catch (error) {
        logger.warn({ sandboxId, err: error }, "undoing a create waits for the next upkeep");
      }
    },

    async abandonCreates() {
      for (const { orgId, id } of await upkeep.listOwned(["creating"])) {
        await sandboxes.change(orgId, id, ["creating"], { state: "killing" });
      }
    },

    async finishInterrupted() {
      for (const { orgId, id } of await upkeep.listOwned(["killing"])) {
        try {
          await stop(orgId, id);
          logger.info({ sandboxId: id, reason: "interrupted removal" }, "sandbox stopped");
        } catch (error) {
          logger.warn({ sandboxId: id, err: error }, "a removal waits for the next upkeep");
        }
      }
    },
  };
}
