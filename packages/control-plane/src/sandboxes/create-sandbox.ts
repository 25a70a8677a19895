import { type PrepareSandboxRequest, WireError } from "@opencomputer/protocol";
import type { Logger } from "pino";
import type { Database } from "../database/database.ts";
import type { EgressProxyLink } from "../egress-proxy/egress-proxy-link.ts";
import type { ProxyHandOver } from "../egress-proxy/proxy-hand-over.ts";
import type { FormerSecretRepository } from "../former-secrets/former-secret-repository.ts";
import type { Vault } from "../vault/vault.ts";
import type { WorkerClient } from "../worker/worker-client.ts";
import type { WorkerLink } from "../worker/worker-link.ts";
import { admitSandbox } from "./admit-sandbox.ts";
import type { Caller } from "./assert-room.ts";
import type { DrawPlan } from "./sandbox-plan.ts";
import type { SandboxRemoval } from "./sandbox-removal.ts";
import type { SandboxChanges, SandboxRepository, SandboxRow } from "./sandbox-repository.ts";

export type CreateSandbox = (
  caller: Caller,
  drawPlan: DrawPlan,
  signal: AbortSignal,
  guest?: PrepareGuest,
) => Promise<SandboxRow>;

/** What happens in the guest before anyone is told of it. */
export interface PrepareGuest {
  /** Command sessions of its memory that are started again. */
  readonly restartSessions: readonly string[];
  /** Runs last; what it returns goes into the row. */
  readonly prepare: (sandboxId: string, signal: AbortSignal) => Promise<SandboxChanges>;
}

/**
 * Makes a sandbox: row, machine, session, and only then the guest's first
 * instruction. It is there wholly when the promise resolves; when it rejects,
 * or the signal says that the caller has gone, nothing is left of it.
 */
export function createCreateSandbox(deps: {
  database: Database;
  sandboxes: SandboxRepository;
  vault: Vault;
  formerSecrets: FormerSecretRepository;
  worker: WorkerClient;
  workerLink: WorkerLink;
  egressProxyLink: EgressProxyLink;
  handOver: ProxyHandOver;
  removal: SandboxRemoval;
  /** How many sandboxes an org may have at once. */
  sandboxesPerOrgMax: number;
  /** How many of one API key; undefined for no such bound. */
  sandboxesPerKeyMax: number | undefined;
  /** What sandboxes, checkpoints and images of an org may take on the disk. */
  diskMBPerOrgMax: number;
  logger: Logger;
}): CreateSandbox {
  const { sandboxes, worker, handOver, removal } = deps;

  async function build(
    orgId: string,
    sandboxId: string,
    prepare: PrepareSandboxRequest,
    signal: AbortSignal,
    guest: PrepareGuest | undefined,
  ): Promise<SandboxRow> {
    const { sourceAddress, machineId } = await worker.prepare(prepare);
    throwIfGone(signal);
    await sandboxes.change(orgId, sandboxId, ["creating"], { sourceAddress, machineId });
    await handOver.putSession(orgId, sandboxId);
    throwIfGone(signal);
    const { lostBecause, hookError = null } = await worker.start(sandboxId, guest?.restartSessions);
    throwIfGone(signal);
    const changes = await guest?.prepare(sandboxId, signal);
    throwIfGone(signal);
    const now = new Date();
    await sandboxes.change(orgId, sandboxId, ["creating"], {
      ...changes,
      state: "running",
      memoryLost: lostBecause,
      hookError,
      startedAt: now,
      lastActiveAt: now,
    });
    const row = await sandboxes.find(orgId, sandboxId);
    throwIfGone(signal);
    if (row?.state === "running") return row;
    throw new WireError("internal_error", `Sandbox ${sandboxId} was removed while it was made`);
  }

  return async (caller, drawPlan, signal, guest) => {
    const { orgId } = caller;
    const host = await deps.workerLink.assertReady();
    await deps.egressProxyLink.assertReady();
    const prepare = await admitSandbox(deps, caller, drawPlan, host);
    const { sandboxId } = prepare;
    try {
      return await build(orgId, sandboxId, prepare, signal, guest);
    } catch (error) {
      deps.logger.warn({ sandboxId, err: error }, "a create failed and is undone");
      await removal.discard(orgId, sandboxId);
      throw error;
    }
  };
}

function throwIfGone(signal: AbortSignal): void {
  if (!signal.aborted) return;
  throw new WireError("invalid_request", "The client closed its connection during the create");
}
