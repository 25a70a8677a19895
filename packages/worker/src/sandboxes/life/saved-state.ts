import { WireError } from "@opencomputer/protocol/api";
import type { Machine } from "../../machines/machine.ts";
import type { SavedMachines } from "../../saved-machines/create-saved-machines.ts";
import type { SaveOptions } from "../../saved-machines/save-machine.ts";
import type { SavedMachine } from "../../saved-machines/saved-manifest.ts";
import { notRunning, runningMachine, type Sandbox } from "../registry/sandbox.ts";
import type { SandboxParts } from "./sandbox-parts.ts";

/** Saves the machine of a running sandbox, which keeps running. @throws {WireError} `sandbox_not_running` */
export async function saveRunning(
  { saveMachine }: SandboxParts,
  sandbox: Sandbox,
  into: SavedMachines,
  id: string,
  options: SaveOptions,
): Promise<SavedMachine> {
  try {
    return await saveMachine(into, id, runningMachine(sandbox), options);
  } catch (error) {
    if (!sandbox.hasEnded || error instanceof WireError) throw error;
    const { code, message } = notRunning(sandbox);
    throw new WireError(code, message, { cause: error });
  }
}

/** Saves the disk of a machine that was ended, and discards the machine. */
export async function keepDiskAlone(
  { machines, hibernated, saveMachine }: SandboxParts,
  sandbox: Sandbox,
  machine: Machine,
  lostBecause: string,
): Promise<SavedMachine> {
  const { spec } = sandbox;
  const saved = await saveMachine(hibernated, spec.sandboxId, machine, {
    ...{ kind: "disk_only", sandbox: spec, lostBecause },
  });
  sandbox.machine = undefined;
  sandbox.failedStarts = null;
  await machines.discard(machine);
  return saved;
}

/** Removes what was saved of a sandbox, and the machine that was made of it for its wake. */
export async function forgetSaved(
  { warmMachines, hibernated }: SandboxParts,
  sandboxId: string,
): Promise<void> {
  await warmMachines.drop(sandboxId);
  await hibernated.remove(sandboxId);
}
