import { WireError, type WorkerSandbox } from "@opencomputer/protocol";
import type { Logger } from "pino";
import type { WorkerClient } from "../worker/worker-client.ts";
import type { MachineTransitions } from "./machine-transitions.ts";
import type { SandboxRemoval } from "./sandbox-removal.ts";
import type { SandboxRepository, SandboxRow } from "./sandbox-repository.ts";
import { presentStates } from "./sandbox-states.ts";

/** Brings one row to what the worker has. Nobody else may be acting on the sandbox. */
export type SettleSandbox = (orgId: string, sandboxId: string) => Promise<SandboxRow | undefined>;

/**
 * - A machine that runs or stands prepared: the sandbox runs, unless it was
 *   told to be hibernated; then the machine is saved again.
 * - A machine that is hibernated, by the worker or because it ended by itself:
 *   the sandbox is hibernated, and says so when its memory is lost.
 * - None: what the sandbox was is gone, and it is stopped. But while the worker
 *   has something that it cannot read, that may be the sandbox: it stays as it is.
 */
export function createSettleSandbox(deps: {
  sandboxes: SandboxRepository;
  worker: WorkerClient;
  transitions: MachineTransitions;
  removal: SandboxRemoval;
  logger: Logger;
}): SettleSandbox {
  const { sandboxes, worker, transitions, removal, logger } = deps;

  async function settle(row: SandboxRow, machine: WorkerSandbox): Promise<void> {
    const { id, state } = row;
    logger.warn({ sandboxId: id, state, machine: machine.state }, "a sandbox is settled");
    if (machine.state === "hibernated") {
      await transitions.putToSleep(row, { memoryLost: machine.lostBecause });
    } else if (state === "hibernated") {
      await transitions.putToSleep(row, { memoryLost: row.memoryLost });
    } else {
      await transitions.bringUp(row, machine);
    }
  }

  /** @throws {WireError} `worker_unavailable` */
  async function assertNoneQuarantined(sandboxId: string): Promise<void> {
    const { quarantined } = await worker.status();
    if (quarantined.length === 0) return;
    throw new WireError(
      "worker_unavailable",
      `Sandbox ${sandboxId} may be among what its worker cannot read: ${quarantined.join(", ")}. Repair or remove it on the host, as the worker's log says, and restart the service`,
    );
  }

  return async (orgId, sandboxId) => {
    const row = await sandboxes.find(orgId, sandboxId);
    if (row === undefined || !presentStates.includes(row.state)) return row;
    const machine = (await worker.list()).find((listed) => listed.sandboxId === sandboxId);
    if (machine === undefined) {
      await assertNoneQuarantined(sandboxId);
      logger.error({ sandboxId, state: row.state }, "a sandbox has no machine");
      await removal.kill(orgId, sandboxId, "unknown to the worker");
    } else if (!agrees(row, machine)) {
      await settle(row, machine);
    }
    return sandboxes.find(orgId, sandboxId);
  };
}

/** Whether row and machine tell the same. */
export function agrees(
  row: Pick<SandboxRow, "state" | "sourceAddress" | "machineId">,
  machine: WorkerSandbox | undefined,
): boolean {
  if (row.state === "hibernated") return machine?.state === "hibernated";
  return (
    row.state === "running" &&
    machine?.state === "running" &&
    machine.sourceAddress === row.sourceAddress &&
    machine.machineId === row.machineId
  );
}
