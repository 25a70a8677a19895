import type { Tracer } from "@opencomputer/process";
import { WireError } from "@opencomputer/protocol/api";
import type { PrepareSandboxRequest } from "@opencomputer/protocol/wire";
import type { Logger } from "pino";
import type { ProxyHandOver } from "../../egress-sessions/proxy-hand-over.ts";
import type { Caller } from "../../orgs/api-key-repository.ts";
import type { Worker, Workers } from "../../worker/workers.ts";
import { mintSandboxId } from "../identity/sandbox-identity.ts";
import { memoryLossEvents } from "../lifecycle/machine-transitions.ts";
import type { SandboxRemoval } from "../lifecycle/sandbox-removal.ts";
import type { Transitions } from "../lifecycle/transitions.ts";
import type { SandboxPlan } from "../plan/sandbox-plan.ts";
import type { HeldSandbox, SandboxChanges, SandboxRow } from "../rows/sandbox-repository.ts";
import { type BeginningTransition, noTransition } from "../rows/transition-columns.ts";
import { type AdmitSandboxDeps, admitSandbox } from "./admit-sandbox.ts";

export interface CreateSandboxDeps extends AdmitSandboxDeps {
  workers: Workers;
  handOver: ProxyHandOver;
  removal: SandboxRemoval;
  transitions: Transitions;
  tracer: Tracer;
  logger: Logger;
}

/** What happens in the guest before the create resolves. */
export interface PrepareGuest {
  /** Command sessions of its memory that are started again. */
  readonly restartSessions: readonly string[];
  /** Runs last; what it returns goes into the row. */
  readonly prepare: (sandboxId: string, signal: AbortSignal) => Promise<SandboxChanges>;
}

/**
 * Makes a sandbox: its row, its machine and its session, and only then the guest
 * runs. It is complete when the promise resolves; when it rejects, also because the
 * caller has closed its connection, nothing of it is left.
 */
export async function createSandbox(
  deps: CreateSandboxDeps,
  caller: Caller,
  plan: SandboxPlan,
  signal: AbortSignal,
  guest?: PrepareGuest,
): Promise<SandboxRow> {
  const { orgId } = caller;
  const worker = deps.workers.forNew();
  const host = await worker.assertReady();
  const id = mintSandboxId();
  const make = async (transition: BeginningTransition) => {
    const request = await deps.tracer.span("admit sandbox", () =>
      admitSandbox(deps, caller, plan, host, { id, ...transition }),
    );
    const { transitionId } = transition;
    const held = { orgId, id, transitionId, memoryLost: null };
    const sandbox: HeldSandbox = { ...held, state: "creating" };
    try {
      return await startSandbox(deps, worker, sandbox, request, signal, guest);
    } catch (error) {
      deps.logger.warn({ sandboxId: id, err: error }, "a create failed and is undone");
      await deps.removal.discard(orgId, id);
      throw error;
    }
  };
  return deps.tracer.trace("create sandbox", () => deps.transitions.holdNew(id, make), {
    sandboxId: id,
  });
}

async function startSandbox(
  { sandboxes, handOver }: CreateSandboxDeps,
  worker: Worker,
  sandbox: HeldSandbox,
  request: PrepareSandboxRequest,
  signal: AbortSignal,
  guest: PrepareGuest | undefined,
): Promise<SandboxRow> {
  const { orgId, id: sandboxId } = sandbox;
  const { sourceAddress, machineId } = await worker.prepare(request);
  throwIfGone(signal);
  await sandboxes.giveSlot(sandbox, { sourceAddress, machineId });
  await handOver.putSession(orgId, sandboxId);
  throwIfGone(signal);
  const { lostBecause, hookError = null } = await worker.start(sandboxId, guest?.restartSessions);
  throwIfGone(signal);
  const changes = await guest?.prepare(sandboxId, signal);
  throwIfGone(signal);
  const now = new Date();
  await sandboxes.changeHeld(
    sandbox,
    {
      ...changes,
      ...noTransition,
      state: "running",
      memoryLost: lostBecause,
      hookError,
      startedAt: now,
      lastActiveAt: now,
    },
    { events: [...memoryLossEvents(sandbox, lostBecause), { type: "sandbox.ready", data: {} }] },
  );
  const row = await sandboxes.find(orgId, sandboxId);
  throwIfGone(signal);
  if (row?.state === "running") return row;
  throw new WireError("internal_error", `Sandbox ${sandboxId} was removed while it was made`);
}

function throwIfGone(signal: AbortSignal): void {
  if (!signal.aborted) return;
  throw new WireError("invalid_request", "The client closed its connection during the create");
}
