import type {
  HibernatedSandbox,
  WakeSandboxRequest,
  WorkerSandbox,
} from "@opencomputer/protocol/wire";
import { countFailedLoad, failedMemoryReason, hasFailedForGood } from "../machine/failed-starts.ts";
import { machineOfHibernated, warmUpForWake } from "../machine/restore-machines.ts";
import { runningMachine, stateOf } from "../registry/sandbox.ts";
import { makeMachineFor } from "./machine-for-sandbox.ts";
import type { SandboxParts } from "./sandbox-parts.ts";
import { saveRunning } from "./saved-state.ts";

/**
 * Saves a running sandbox, and discards its machine.
 *
 * @throws {WireError} `sandbox_not_running`, `host_storage_full`; it then keeps running.
 */
export async function hibernateSandbox(
  parts: SandboxParts,
  sandboxId: string,
): Promise<HibernatedSandbox> {
  const { registry, machines, hibernated, runningDisks, usageMeter, log } = parts;
  await runningDisks.mayDeepen(registry.find(sandboxId));
  return registry.change(sandboxId, async (sandbox) => {
    const present = hibernated.get(sandboxId);
    if (present !== undefined && stateOf(sandbox) !== "running") {
      // Nothing of a prepared machine has run: what was saved is still current.
      const { machine: prepared } = sandbox;
      sandbox.machine = undefined;
      if (prepared !== undefined) await machines.discard(prepared);
      return present;
    }
    const machine = runningMachine(sandbox);
    const saved = await saveRunning(parts, sandbox, hibernated, sandboxId, {
      kind: "full",
      sandbox: sandbox.spec,
      lostBecause: null,
    });
    sandbox.machine = undefined;
    await usageMeter.readLast(machine);
    await machines.discard(machine);
    log.info({ sandboxId, sizeBytes: saved.sizeBytes }, "A sandbox was hibernated");
    void warmUpForWake(parts, sandboxId);
    return saved;
  });
}

/** Gives a hibernated sandbox a machine again, to boot when its memory has failed to start for good. */
export function wakeSandbox(
  parts: SandboxParts,
  sandboxId: string,
  { egressMode, egressPorts, envs }: WakeSandboxRequest,
): Promise<WorkerSandbox> {
  const { registry, hibernated } = parts;
  return registry.change(sandboxId, async (sandbox) => {
    const { machine } = sandbox;
    const saved = hibernated.get(sandboxId);
    if (machine !== undefined || saved === undefined) return registry.describe(sandbox);
    const spec = { ...sandbox.spec, egressMode, egressPorts, envs };
    const lostBecause = hasFailedForGood(sandbox, parts.now()) ? failedMemoryReason : null;
    const woken = await makeMachineFor(parts, spec, () =>
      machineOfHibernated(parts, saved, lostBecause),
    ).catch((error: unknown) => {
      countFailedLoad(sandbox, error, parts.now());
      throw error;
    });
    sandbox.spec = spec;
    registry.giveMachine(sandbox, woken);
    return registry.describe(sandbox);
  });
}
