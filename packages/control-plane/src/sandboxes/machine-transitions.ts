import { WireError, type WorkerSandbox } from "@opencomputer/protocol";
import type { ProxyHandOver } from "../egress-proxy/proxy-hand-over.ts";
import type { WorkerClient } from "../worker/worker-client.ts";
import { releaseSandbox } from "./release-sandbox.ts";
import type { SandboxChanges, SandboxRepository, SandboxRow } from "./sandbox-repository.ts";

/** A sandbox in a state that nobody else acts in. */
export type HeldSandbox = Pick<SandboxRow, "id" | "orgId" | "state">;

/**
 * The two ways that row, session and machine go together once the worker has
 * a machine. Each rejects when the sandbox was killed meanwhile, and leaves a
 * row that {@link SettleSandbox} can resolve when it fails half-way.
 */
export interface MachineTransitions {
  /**
   * Gives a prepared machine its session, then lets it run. One that runs is
   * taken over. `prepareGuest` works in the guest before the sandbox counts as
   * running, and returns further changes of the row.
   */
  bringUp(
    sandbox: HeldSandbox,
    machine: WorkerSandbox,
    changes?: SandboxChanges,
    prepareGuest?: () => Promise<SandboxChanges>,
  ): Promise<void>;
  /** Has the worker save the machine, then takes the session away. */
  putToSleep(sandbox: HeldSandbox, changes?: SandboxChanges): Promise<{ sizeBytes: number }>;
}

export function createMachineTransitions(deps: {
  sandboxes: SandboxRepository;
  worker: WorkerClient;
  handOver: ProxyHandOver;
}): MachineTransitions {
  const { sandboxes, worker, handOver } = deps;

  /** A kill does not wait for other work, so that work takes away what it has made since. */
  async function change(sandbox: HeldSandbox, changes: SandboxChanges): Promise<void> {
    const { orgId, id, state } = sandbox;
    if (await sandboxes.change(orgId, id, [state], changes)) return;
    const row = await sandboxes.find(orgId, id);
    if (row !== undefined && row.state !== "killing" && row.state !== "stopped") {
      throw new Error(`Sandbox ${id} is ${row.state}, expected ${state}: two act on it at once`);
    }
    await releaseSandbox(deps, id);
    throw new WireError("sandbox_not_running", `Sandbox ${id} is stopped`);
  }

  return {
    async bringUp(sandbox, machine, changes = {}, prepareGuest = undefined) {
      const { orgId, id } = sandbox;
      await change(sandbox, {
        sourceAddress: machine.sourceAddress,
        machineId: machine.machineId,
      });
      await handOver.putSession(orgId, id);
      const running = machine.state === "running" ? machine : await worker.start(id);
      const prepared = await prepareGuest?.();
      await change(sandbox, {
        state: "running",
        hibernatedBytes: null,
        memoryLost: running.lostBecause,
        hookError: running.hookError ?? null,
        ...running.size,
        ...changes,
        ...prepared,
      });
    },

    async putToSleep(sandbox, changes = {}) {
      const { sizeBytes } = await worker.hibernate(sandbox.id);
      // Without an address no rotation hands the session over again.
      await change(sandbox, { sourceAddress: null, machineId: null });
      await handOver.removeSession(sandbox.id);
      await change(sandbox, {
        state: "hibernated",
        hibernatedBytes: sizeBytes,
        memoryLost: null,
        ...changes,
      });
      return { sizeBytes };
    },
  };
}
