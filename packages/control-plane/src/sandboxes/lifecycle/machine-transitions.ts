import { type EventContent, eventText, WireError } from "@opencomputer/protocol/api";
import type { WorkerSandbox } from "@opencomputer/protocol/wire";
import type { ProxyHandOver } from "../../egress-sessions/proxy-hand-over.ts";
import type { Workers } from "../../worker/workers.ts";
import type { HeldSandbox, SandboxChanges, SandboxRepository } from "../rows/sandbox-repository.ts";
import { releaseSandbox } from "./sandbox-removal.ts";

export interface MachineTransitionDeps {
  sandboxes: SandboxRepository;
  workers: Workers;
  handOver: ProxyHandOver;
}

/**
 * Gives a prepared machine its session, then starts it. One that runs is
 * adopted. `prepareGuest` works in the guest before the sandbox counts as
 * running, and returns further changes of the row.
 *
 * Rejects when the sandbox was killed meanwhile. When it fails half-way, the row
 * that it leaves can be reconciled.
 */
export async function bringUpMachine(
  deps: MachineTransitionDeps,
  sandbox: HeldSandbox,
  machine: WorkerSandbox,
  changes: SandboxChanges = {},
  prepareGuest?: () => Promise<SandboxChanges>,
): Promise<void> {
  const { orgId, id } = sandbox;
  const { sourceAddress, machineId } = machine;
  await assertHeld(
    deps,
    sandbox,
    await deps.sandboxes.giveSlot(sandbox, { sourceAddress, machineId }),
  );
  await deps.handOver.putSession(orgId, id);
  const running = machine.state === "running" ? machine : await deps.workers.of(sandbox).start(id);
  const prepared = await prepareGuest?.();
  const hasWoken = sandbox.state === "waking";
  await changeHeld(
    deps,
    sandbox,
    {
      state: "running",
      hibernatedBytes: null,
      memoryLost: running.lostBecause,
      hookError: running.hookError ?? null,
      ...running.size,
      ...changes,
      ...prepared,
    },
    [
      ...memoryLossEvents(sandbox, running.lostBecause),
      ...(hasWoken ? [{ type: "sandbox.woken", data: {} } as const] : []),
    ],
  );
}

/** What the loss of a machine's memory is reported by; nothing when it was recorded before. */
export function memoryLossEvents(
  sandbox: Pick<HeldSandbox, "memoryLost">,
  lostBecause: string | null,
): EventContent[] {
  if (lostBecause === null || sandbox.memoryLost !== null) return [];
  return [{ type: "sandbox.memory_lost", data: { reason: eventText(lostBecause) } }];
}

/** Why a machine is saved; an idle time-out comes with its length. */
export type HibernationCause =
  | { reason: "requested" | "reconciled" }
  | { reason: "idle"; idleTimeoutSeconds: number };

/**
 * Has the worker save the machine, then removes the session. `lostBecause` is why its
 * memory is not saved with it. Rejects and can be reconciled as {@link bringUpMachine}.
 */
export async function hibernateMachine(
  deps: MachineTransitionDeps,
  sandbox: HeldSandbox,
  cause: HibernationCause,
  lostBecause: string | null = null,
): Promise<{ sizeBytes: number }> {
  const { sizeBytes } = await deps.workers.of(sandbox).hibernate(sandbox.id);
  // Without an address no rotation hands the session over again.
  await changeHeld(deps, sandbox, { sourceAddress: null, machineId: null });
  await deps.handOver.removeSession(sandbox.id);
  await changeHeld(
    deps,
    sandbox,
    { state: "hibernated", hibernatedBytes: sizeBytes, memoryLost: lostBecause },
    [
      ...memoryLossEvents(sandbox, lostBecause),
      ...(wasHibernated(sandbox) ? [] : hibernationEvents(cause, sizeBytes)),
    ],
  );
  return { sizeBytes };
}

/** Whether the sandbox counts as hibernated: also during a wake, which may fail. */
function wasHibernated({ state }: HeldSandbox): boolean {
  return state === "hibernated" || state === "waking";
}

function hibernationEvents(cause: HibernationCause, sizeBytes: number): EventContent[] {
  const { reason } = cause;
  const hibernated = { type: "sandbox.hibernated", data: { reason, sizeBytes } } as const;
  if (cause.reason !== "idle") return [hibernated];
  const { idleTimeoutSeconds } = cause;
  return [{ type: "sandbox.timed_out", data: { idleTimeoutSeconds } }, hibernated];
}

async function changeHeld(
  deps: MachineTransitionDeps,
  held: HeldSandbox,
  changes: SandboxChanges,
  events: readonly EventContent[] = [],
): Promise<void> {
  await assertHeld(deps, held, await deps.sandboxes.changeHeld(held, changes, { events }));
}

/**
 * A kill does not wait for other work, so that work removes what it has made since.
 * Work whose transition another control plane has taken over removes nothing.
 */
async function assertHeld(
  deps: MachineTransitionDeps,
  held: HeldSandbox,
  isHeld: boolean,
): Promise<void> {
  if (isHeld) return;
  const { orgId, id, state } = held;
  const row = await deps.sandboxes.find(orgId, id);
  if (row !== undefined && row.state !== "killing" && row.state !== "stopped") {
    throw new Error(
      `Sandbox ${id} is ${row.state} in transition ${row.transitionId}, expected ${state} in ${held.transitionId}: another control plane has taken it over`,
    );
  }
  await releaseSandbox(deps, id);
  throw new WireError("sandbox_not_running", `Sandbox ${id} is stopped`, {
    remediation: "oc create",
  });
}
