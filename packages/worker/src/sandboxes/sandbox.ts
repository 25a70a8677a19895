import { type PrepareSandboxRequest, WireError, type WorkerSandbox } from "@opencomputer/protocol";
import type { Machine } from "../machines/create-machines.ts";
import type { SavedMachine } from "../saved-state/saved-machine.ts";
import { sizeOf } from "../scaling/sandbox-size.ts";
import type { Turns } from "../turns.ts";

/**
 * A sandbox has a machine, or is saved, or both: between a wake and the
 * moment that its machine may run.
 */
export interface Sandbox {
  spec: PrepareSandboxRequest;
  machine: Machine | undefined;
  /** Its machine has ended by itself, and what is left of it was not saved yet. */
  hasEnded: boolean;
  isRemoved: boolean;
  /** What changes it comes one after the other. */
  readonly turns: Turns;
}

export function stateOf({ machine }: Sandbox): WorkerSandbox["state"] {
  if (machine === undefined) return "hibernated";
  return machine.record.phase === "started" ? "running" : "prepared";
}

/** `saved` is what it was saved as, if it was. */
export function describeSandbox(sandbox: Sandbox, saved: SavedMachine | undefined): WorkerSandbox {
  const { spec, machine } = sandbox;
  const hookError = machine?.record.hookError ?? null;
  return {
    sandboxId: spec.sandboxId,
    state: stateOf(sandbox),
    sourceAddress: machine?.slot.slotAddress ?? null,
    machineId: machine?.record.machineId ?? null,
    memory: (machine?.record.hasMemory ?? saved?.kind === "full") ? "kept" : "lost",
    lostBecause: machine === undefined ? (saved?.lostBecause ?? null) : machine.record.lostBecause,
    size: sizeOf(spec),
    ...(hookError === null ? {} : { hookError }),
  };
}

/** @throws {WireError} `sandbox_not_running`, `host_storage_full` */
export function runningMachine(sandbox: Sandbox): Machine {
  const { machine, hasEnded } = sandbox;
  if (stateOf(sandbox) !== "running" || machine?.vm === undefined || hasEnded) {
    throw notRunning(sandbox);
  }
  if (!machine.vm.lacksStorage()) return machine;
  throw new WireError(
    "host_storage_full",
    `Sandbox ${sandbox.spec.sandboxId} stands still: it wrote to its disk and the host's is full; it goes on when there is space in the data directory`,
  );
}

export function notRunning(sandbox: Sandbox): WireError {
  const { sandboxId } = sandbox.spec;
  const reasons = {
    prepared: "it was prepared and not started yet",
    running: "its machine has ended, or is being removed",
    hibernated: "it is hibernated; wake it first",
  };
  return new WireError(
    "sandbox_not_running",
    `Sandbox ${sandboxId} does not run: ${reasons[stateOf(sandbox)]}`,
  );
}
