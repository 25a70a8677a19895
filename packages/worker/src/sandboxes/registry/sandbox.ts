import { WireError } from "@opencomputer/protocol/api";
import type { PrepareSandboxRequest, WorkerSandbox } from "@opencomputer/protocol/wire";
import type { LimitFunction } from "p-limit";
import { storageRemediation } from "../../files/durable-files.ts";
import type { Machine } from "../../machines/machine.ts";
import type { SavedMachine } from "../../saved-machines/saved-manifest.ts";
import { sizeOf } from "../../scaling/sandbox-size.ts";

/** Attempts in a row to start the guest of a sandbox that have failed. */
export interface FailedStarts {
  readonly count: number;
  /** When the first of them failed, on the clock of the caller. */
  readonly sinceMilliseconds: number;
}

/**
 * A sandbox has a machine, or is saved, or both: between a wake and the
 * moment that its machine may run.
 */
export interface Sandbox {
  spec: PrepareSandboxRequest;
  machine: Machine | undefined;
  /** Its machine has ended without being asked to, and its disk is not saved yet. */
  hasEnded: boolean;
  isRemoved: boolean;
  /** Null when the last attempt to start its guest has not failed. */
  failedStarts: FailedStarts | null;
  /** Changes of the sandbox run one after the other. */
  readonly mutex: LimitFunction;
}

export function stateOf({ machine }: Sandbox): WorkerSandbox["state"] {
  if (machine === undefined) return "hibernated";
  return machine.record.phase === "started" ? "running" : "prepared";
}

/** Describes a sandbox to the control plane. `saved` is its saved machine, if it has one. */
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
    `Sandbox ${sandbox.spec.sandboxId} is paused: it wrote to its disk, and the host's disk is full. It resumes once there is space in the data directory`,
    { remediation: storageRemediation },
  );
}

export function notRunning(sandbox: Sandbox): WireError {
  const { sandboxId } = sandbox.spec;
  const state = stateOf(sandbox);
  const reasons = {
    prepared: "it was prepared and not started yet",
    running: "its machine has ended, or is being removed",
    hibernated: "it is hibernated; wake it first",
  };
  return new WireError(
    "sandbox_not_running",
    `Sandbox ${sandboxId} is not running: ${reasons[state]}`,
    state === "hibernated" ? { remediation: `oc sandbox wake ${sandboxId}` } : {},
  );
}
