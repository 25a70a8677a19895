import type { RebootSandboxRequest, WorkerSandbox } from "@opencomputer/protocol/wire";
import { endMachine } from "../machine/end-machine.ts";
import { machineOfHibernated } from "../machine/restore-machines.ts";
import { runningMachine } from "../registry/sandbox.ts";
import { makeMachineFor } from "./machine-for-sandbox.ts";
import type { SandboxParts } from "./sandbox-parts.ts";
import { keepDiskAlone } from "./saved-state.ts";

/** Ends the machine of a running sandbox, and gives it one that boots from its disk. */
export function rebootSandbox(
  parts: SandboxParts,
  sandboxId: string,
  { orderly }: RebootSandboxRequest,
): Promise<WorkerSandbox> {
  const { registry, usageMeter, log } = parts;
  return registry.change(sandboxId, async (sandbox) => {
    const machine = runningMachine(sandbox);
    await usageMeter.readLast(machine);
    await endMachine(machine, { orderly }, log);
    const saved = await keepDiskAlone(parts, sandbox, machine, "it was rebooted");
    if (sandbox.isRemoved) registry.find(sandboxId);
    const booting = await makeMachineFor(parts, sandbox.spec, () =>
      machineOfHibernated(parts, saved),
    );
    registry.giveMachine(sandbox, booting);
    log.info({ sandboxId, orderly }, "A sandbox was rebooted");
    return registry.describe(sandbox);
  });
}
