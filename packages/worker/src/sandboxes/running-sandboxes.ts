import type { Machine } from "../machines/machine.ts";
import { stateOf } from "./registry/sandbox.ts";
import type { SandboxRegistry } from "./registry/sandbox-registry.ts";
import type { RunningSandbox, Sandboxes } from "./sandboxes.ts";

/** The sandboxes whose guest runs, for those that watch and scale them. */
export function listRunning(registry: SandboxRegistry): RunningSandbox[] {
  return registry.list().flatMap(({ spec, machine, hasEnded, isRemoved }) => {
    if (machine === undefined || machine.record.phase !== "started") return [];
    if (hasEnded || isRemoved) return [];
    const { agent, slot, record } = machine;
    const startedAtUnixMilliseconds = record.startedAtUnixMilliseconds ?? Date.now();
    return [{ spec, agent, sourceAddress: slot.slotAddress, startedAtUnixMilliseconds }];
  });
}

/** The processes of the running machines. */
export function processesOf(registry: SandboxRegistry): ReturnType<Sandboxes["processes"]> {
  return registry.list().flatMap((sandbox) => {
    const process = sandbox.machine?.vm?.process;
    return process === undefined || stateOf(sandbox) !== "running"
      ? []
      : [{ sandboxId: sandbox.spec.sandboxId, process }];
  });
}

/** The machines of the sandboxes that run now. */
export function runningMachinesOf(registry: SandboxRegistry): Machine[] {
  return registry.list().flatMap((sandbox) => {
    const { machine, isRemoved } = sandbox;
    if (machine?.vm === undefined || isRemoved) return [];
    return stateOf(sandbox) === "running" ? [machine] : [];
  });
}

/** The machines of the sandboxes that are not being removed, running or not. */
export function presentMachinesOf(registry: SandboxRegistry): Machine[] {
  return registry
    .list()
    .flatMap(({ machine, isRemoved }) => (machine === undefined || isRemoved ? [] : [machine]));
}
