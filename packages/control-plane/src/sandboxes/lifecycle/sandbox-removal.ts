import type { Tracer } from "@opencomputer/process";
import { type EventContent, WireError } from "@opencomputer/protocol/api";
import type { Logger } from "pino";
import { waitForAll } from "../../concurrency/repeating-task.ts";
import type { ProxyHandOver } from "../../egress-sessions/proxy-hand-over.ts";
import { PeerAbsentError } from "../../peers/unix-socket-client.ts";
import type { PreviewRepository } from "../../previews/preview-repository.ts";
import type { Workers } from "../../worker/workers.ts";
import type { SandboxMaintenanceRepository } from "../rows/sandbox-maintenance-repository.ts";
import type { SandboxRepository } from "../rows/sandbox-repository.ts";
import { keptStates, presentStates, type SandboxState } from "../rows/sandbox-states.ts";
import type { SandboxActivity } from "./sandbox-activity.ts";

/** Why a sandbox is killed. */
export type KillReason = Extract<EventContent, { type: "sandbox.killed" }>["data"]["reason"];

/** What maintenance waits for the removals that it completes. */
const waitMilliseconds = 5_000;

/**
 * Removes sandboxes. The row is marked first: whatever happens after it, the
 * sandbox gets no session again, and maintenance tries again until the
 * machine was removed too.
 */
export interface SandboxRemoval {
  /**
   * Kills a sandbox in whatever state it is; one that is stopped stays stopped.
   *
   * @throws {WireError} `sandbox_not_found`; `worker_unavailable` when the row is
   * marked and the machine is removed once the worker runs again.
   */
  kill(orgId: string, sandboxId: string, reason: KillReason): Promise<void>;
  /** Undoes a create, completely when the worker responds. Never rejects. */
  discard(orgId: string, sandboxId: string): Promise<void>;
  /** Marks creates that no control plane works on any more for removal. */
  abandonCreates(): Promise<void>;
  /**
   * Completes removals that an earlier process or an absent worker interrupted. Waits
   * for them a while; those that take longer continue. Never rejects.
   */
  finishInterrupted(): Promise<void>;
}

export function createSandboxRemoval(
  deps: {
    sandboxes: SandboxRepository;
    previews: Pick<PreviewRepository, "deleteAll">;
    maintenance: Pick<SandboxMaintenanceRepository, "listOwned">;
    workers: Workers;
    handOver: ProxyHandOver;
    activity: SandboxActivity;
    tracer: Tracer;
    logger: Logger;
  },
  options = { waitMilliseconds },
): SandboxRemoval {
  const { sandboxes, maintenance, activity, tracer, logger } = deps;
  /** The removals that maintenance completes now. */
  const finishing = new Set<string>();

  async function release(sandboxId: string): Promise<void> {
    try {
      await releaseSandbox(deps, sandboxId);
    } finally {
      activity.forget(sandboxId);
    }
  }

  async function markKilled(
    orgId: string,
    sandboxId: string,
    from: SandboxState[],
    reason: KillReason,
  ): Promise<void> {
    const killed = { type: "sandbox.killed", data: { reason } } as const;
    await sandboxes.change(orgId, sandboxId, from, { state: "killing" }, [killed]);
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

  /** Never rejects. */
  async function finish({ orgId, id }: { orgId: string; id: string }): Promise<void> {
    finishing.add(id);
    try {
      await stop(orgId, id);
      logger.info({ sandboxId: id, reason: "interrupted removal" }, "sandbox stopped");
    } catch (error) {
      logger.warn({ sandboxId: id, err: error }, "a removal is tried again by maintenance");
    } finally {
      finishing.delete(id);
    }
  }

  return {
    async kill(orgId, sandboxId, reason) {
      const sandbox = await sandboxes.find(orgId, sandboxId);
      if (sandbox === undefined || sandbox.state === "creating") {
        throw new WireError("sandbox_not_found", `sandbox not found: ${sandboxId}`, {
          remediation: "oc ls",
        });
      }
      if (sandbox.state === "stopped") return;
      await markKilled(orgId, sandboxId, presentStates, reason);
      try {
        await tracer.trace("kill sandbox", () => stop(orgId, sandboxId), { sandboxId });
      } catch (error) {
        if (!(error instanceof PeerAbsentError)) throw error;
        throw new WireError(
          "worker_unavailable",
          `Sandbox ${sandboxId} is marked for removal and has no network; its machine is removed as soon as the worker runs again`,
          { cause: error },
        );
      }
      logger.info({ sandboxId, reason }, "sandbox stopped");
    },

    async discard(orgId, sandboxId) {
      try {
        await markKilled(orgId, sandboxId, keptStates, "create_failed");
        await release(sandboxId);
        await sandboxes.delete(orgId, sandboxId);
      } catch (error) {
        logger.warn({ sandboxId, err: error }, "undoing a create is tried again by maintenance");
      }
    },

    async abandonCreates() {
      for (const { orgId, id, isHeld } of await maintenance.listOwned(["creating"])) {
        if (isHeld) continue;
        await markKilled(orgId, id, ["creating"], "create_failed");
      }
    },

    async finishInterrupted() {
      const rows = await maintenance.listOwned(["killing"]);
      await waitForAll(
        rows.filter(({ id }) => !finishing.has(id)).map(finish),
        options.waitMilliseconds,
      );
    },
  };
}

/**
 * Removes the session and the machine of a sandbox whose row is marked for removal.
 * The session is removed first, without waiting for the machine: then nothing
 * substitutes a value. It is removed again at the end, in case the proxy failed before.
 */
export async function releaseSandbox(
  { workers, handOver }: { workers: Workers; handOver: ProxyHandOver },
  sandboxId: string,
): Promise<void> {
  const [, machine] = await Promise.allSettled([
    handOver.removeSession(sandboxId),
    workers.of({ id: sandboxId }).delete(sandboxId),
  ]);
  await handOver.removeSession(sandboxId);
  if (machine.status === "rejected") throw machine.reason;
}
