import type {
  MakeCheckpointRequest,
  RestoreSandboxRequest,
  WorkerCheckpoint,
  WorkerSandbox,
} from "@opencomputer/protocol/wire";
import { describeCheckpoint } from "../../saved-machines/saved-manifest.ts";
import { enlarged } from "../../scaling/sandbox-size.ts";
import { findCheckpoint, machineOfCheckpoint, warmUpForFork } from "../machine/restore-machines.ts";
import { makeMachineFor } from "./machine-for-sandbox.ts";
import type { SandboxParts } from "./sandbox-parts.ts";
import { forgetSaved, saveRunning } from "./saved-state.ts";

/** Saves a running sandbox as a checkpoint. The same checkpoint again is returned as it is. */
export async function makeCheckpoint(
  parts: SandboxParts,
  checkpointId: string,
  { sandboxId, kind }: MakeCheckpointRequest,
): Promise<WorkerCheckpoint> {
  const { registry, checkpoints, runningDisks } = parts;
  await runningDisks.mayDeepen(registry.find(sandboxId));
  const saved = await registry.change(sandboxId, async (sandbox) => {
    const present = checkpoints.get(checkpointId);
    if (present !== undefined) return present;
    const made = await saveRunning(parts, sandbox, checkpoints, checkpointId, {
      kind,
      sandbox: null,
      lostBecause: null,
    });
    runningDisks.flattenDeep(sandbox);
    return made;
  });
  void warmUpForFork(parts, checkpointId);
  return describeCheckpoint(saved);
}

/** Forks of it keep running. @throws {WireError} `checkpoint_not_found` */
export async function removeCheckpoint(
  { checkpoints, warmMachines }: SandboxParts,
  checkpointId: string,
): Promise<void> {
  const { id } = findCheckpoint(checkpoints, checkpointId);
  await warmMachines.drop(id);
  await checkpoints.remove(id);
}

/** Replaces the machine of a sandbox by one that begins where the checkpoint was made. */
export function restoreSandbox(
  parts: SandboxParts,
  sandboxId: string,
  { checkpointId, egressMode, egressPorts, envs }: RestoreSandboxRequest,
): Promise<WorkerSandbox> {
  const { registry, machines, checkpoints, usageMeter } = parts;
  return registry.change(sandboxId, async (sandbox) => {
    const { kind, memoryMB } = findCheckpoint(checkpoints, checkpointId);
    // The processes in its memory may need all that they had.
    const isLarger = kind === "full" && memoryMB > sandbox.spec.memoryMB;
    const size = isLarger ? enlarged(sandbox.spec, memoryMB) : {};
    const spec = { ...sandbox.spec, egressMode, egressPorts, envs, ...size };
    const replacement = await makeMachineFor(parts, spec, () =>
      machineOfCheckpoint(parts, checkpointId),
    );
    const { machine } = sandbox;
    sandbox.spec = spec;
    registry.giveMachine(sandbox, replacement);
    if (machine !== undefined) {
      await usageMeter.readLast(machine);
      await machines.discard(machine);
    }
    await forgetSaved(parts, sandboxId);
    return registry.describe(sandbox);
  });
}
