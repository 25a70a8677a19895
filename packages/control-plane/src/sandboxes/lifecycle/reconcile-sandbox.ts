import { WireError } from "@opencomputer/protocol/api";
import type { WorkerSandbox } from "@opencomputer/protocol/wire";
import type { Logger } from "pino";
import type { Worker, Workers } from "../../worker/workers.ts";
import type { HeldSandboxRow, SandboxRepository, SandboxRow } from "../rows/sandbox-repository.ts";
import { presentStates } from "../rows/sandbox-states.ts";
import {
  bringUpMachine,
  hibernateMachine,
  type MachineTransitionDeps,
} from "./machine-transitions.ts";
import type { SandboxRemoval } from "./sandbox-removal.ts";

export interface ReconcileSandboxDeps extends MachineTransitionDeps {
  sandboxes: SandboxRepository;
  workers: Workers;
  removal: SandboxRemoval;
  logger: Logger;
}

/**
 * Changes one row to match what the worker has. The sandbox is held.
 *
 * - A machine that runs or is prepared: the sandbox runs, unless its row states
 *   that it is hibernated; then the machine is saved again.
 * - A machine that is hibernated, by the worker or because it ended by itself:
 *   the sandbox is hibernated, and reports it when its memory is lost.
 * - None: the sandbox is lost, and it is stopped. But while the worker has
 *   something that it cannot read, that may be the sandbox, which is not changed.
 */
export async function reconcileSandbox(
  deps: ReconcileSandboxDeps,
  { orgId, id: sandboxId, transitionId }: Pick<HeldSandboxRow, "orgId" | "id" | "transitionId">,
): Promise<HeldSandboxRow | undefined> {
  const { sandboxes, workers, removal, logger } = deps;
  const read = async (): Promise<HeldSandboxRow | undefined> => {
    const found = await sandboxes.find(orgId, sandboxId);
    return found === undefined ? undefined : { ...found, transitionId };
  };
  const row = await read();
  if (row === undefined || !presentStates.includes(row.state)) return row;
  const worker = workers.of(row);
  const machine = (await worker.list()).find((listed) => listed.sandboxId === sandboxId);
  if (machine === undefined) {
    await assertNoneQuarantined(worker, sandboxId);
    logger.error({ sandboxId, state: row.state }, "a sandbox has no machine");
    await removal.kill(orgId, sandboxId, "machine_lost");
  } else if (!agrees(row, machine)) {
    await followMachine(deps, row, machine);
  }
  return read();
}

async function followMachine(
  deps: ReconcileSandboxDeps,
  row: HeldSandboxRow,
  machine: WorkerSandbox,
): Promise<void> {
  const { id, state } = row;
  deps.logger.warn({ sandboxId: id, state, machine: machine.state }, "a sandbox is reconciled");
  if (machine.state === "hibernated") {
    await hibernateMachine(deps, row, { reason: "reconciled" }, machine.lostBecause);
  } else if (state === "hibernated") {
    await hibernateMachine(deps, row, { reason: "reconciled" }, row.memoryLost);
  } else {
    await bringUpMachine(deps, row, machine);
  }
}

/** @throws {WireError} `worker_unavailable` */
async function assertNoneQuarantined(worker: Worker, sandboxId: string): Promise<void> {
  const { quarantined } = await worker.status();
  if (quarantined.length === 0) return;
  throw new WireError(
    "worker_unavailable",
    `Sandbox ${sandboxId} may be among what its worker cannot read: ${quarantined.join(", ")}. Repair or remove it on the host, as the worker's log describes, and restart the service`,
  );
}

/** Whether the row states what the machine is. */
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
