import { WireError } from "@opencomputer/protocol";
import type { Logger } from "pino";
import type { RunPatches } from "../checkpoints/run-patches.ts";
import type { Database } from "../database/database.ts";
import type { EgressProxyLink } from "../egress-proxy/egress-proxy-link.ts";
import type { WorkerClient } from "../worker/worker-client.ts";
import type { WorkerLink } from "../worker/worker-link.ts";
import { assertRoom } from "./assert-room.ts";
import type { HeldSandbox, MachineTransitions } from "./machine-transitions.ts";
import { sandboxEnvironment } from "./sandbox-environment.ts";
import type { SandboxChanges, SandboxRepository, SandboxRow } from "./sandbox-repository.ts";

/** Wakes a hibernated sandbox that nobody else acts on. */
export type WakeSandbox = (row: SandboxRow) => Promise<void>;

/**
 * Slot, session, and only then the guest's next instruction, as in a create;
 * then the patches that a fork has not had run, and only then what it was woken for.
 * What can be refused is refused before anything is done; what fails later
 * leaves the sandbox hibernated.
 */
export function createWakeSandbox(deps: {
  database: Database;
  sandboxes: SandboxRepository;
  worker: WorkerClient;
  workerLink: WorkerLink;
  egressProxyLink: EgressProxyLink;
  transitions: MachineTransitions;
  /** Runs the patches that a fork has not had run. */
  runPatches: RunPatches;
  /** How many sandboxes an org may run at once. */
  sandboxesPerOrgMax: number;
  /** How many of one API key; undefined for no such bound. */
  sandboxesPerKeyMax: number | undefined;
  logger: Logger;
}): WakeSandbox {
  const { database, sandboxes, worker, transitions, logger } = deps;

  async function admit({ orgId, id, apiKeyId }: SandboxRow): Promise<HeldSandbox> {
    await database.transaction(async (transaction) => {
      await assertRoom(transaction, deps, { orgId, apiKeyId });
      const changes = { state: "waking" } as const;
      if (await sandboxes.change(orgId, id, ["hibernated"], changes, transaction)) return;
      throw new WireError("sandbox_not_running", `Sandbox ${id} is stopped`);
    });
    return { orgId, id, state: "waking" };
  }

  async function putBack(sandbox: HeldSandbox): Promise<void> {
    try {
      await transitions.putToSleep(sandbox);
    } catch (error) {
      logger.warn({ sandboxId: sandbox.id, err: error }, "a failed wake is settled later");
    }
  }

  /** As the row says afterwards. What was patched stays so when the wake fails later. */
  async function patch(row: SandboxRow, { state }: HeldSandbox): Promise<SandboxChanges> {
    const { orgId, id: sandboxId, fromCheckpointId: checkpointId, appliedPatchIds } = row;
    if (checkpointId === null || appliedPatchIds === null) return {};
    return deps.runPatches(
      { orgId, sandboxId, checkpointId, appliedPatchIds },
      async (applied) => {
        await sandboxes.change(orgId, sandboxId, [state], { appliedPatchIds: applied });
      },
      // Whoever asked for the wake may leave: others may share it.
      new AbortController().signal,
    );
  }

  return async (row) => {
    const { orgId, id, egressMode } = row;
    await deps.workerLink.assertReady();
    await deps.egressProxyLink.assertReady();
    const envs = sandboxEnvironment(await sandboxes.listSecrets(orgId, id), row.envs);
    const sandbox = await admit(row);
    try {
      const machine = await worker.wake(id, { egressMode, envs });
      await transitions.bringUp(sandbox, machine, { lastActiveAt: new Date() }, () =>
        patch(row, sandbox),
      );
    } catch (error) {
      logger.warn({ sandboxId: id, err: error }, "a wake failed");
      await putBack(sandbox);
      throw withoutDoubt(error, id);
    }
  };
}

/** What was to happen in the sandbox has not begun, whatever became of the wake. */
function withoutDoubt(error: unknown, sandboxId: string): unknown {
  if (!(error instanceof WireError) || error.code !== "outcome_unknown") return error;
  return new WireError(
    "worker_unavailable",
    `Sandbox ${sandboxId} is hibernated and was not woken: the worker was lost meanwhile; try again`,
    { cause: error },
  );
}
