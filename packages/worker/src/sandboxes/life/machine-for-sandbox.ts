import { randomUUID } from "node:crypto";
import type { PrepareSandboxRequest } from "@opencomputer/protocol/wire";
import { asStorageError } from "../../files/durable-files.ts";
import type { Machine } from "../../machines/machine.ts";
import { hostSizeOf } from "../../scaling/sandbox-size.ts";
import type { SandboxParts } from "./sandbox-parts.ts";

/** Has a machine made, and assigns it to a sandbox; nothing of it runs yet. */
export async function makeMachineFor(
  parts: SandboxParts,
  spec: PrepareSandboxRequest,
  make: () => Promise<Machine>,
): Promise<Machine> {
  const { machines, tracer } = parts;
  const machine = await tracer.span("take machine", make).catch((error: unknown) => {
    throw asStorageError(error);
  });
  try {
    await tracer.span("assign machine", () => assign(parts, machine, spec));
    return machine;
  } catch (error) {
    await machines.discard(machine);
    throw asStorageError(error);
  }
}

/** Puts record, rules and limits in place before anything of the machine runs. */
async function assign(
  { machines, slots }: SandboxParts,
  machine: Machine,
  spec: PrepareSandboxRequest,
): Promise<void> {
  await Promise.all([
    machines.save(machine, { ...machine.record, sandbox: spec, machineId: randomUUID() }),
    slots.setMode(machine.slot, spec.egressMode, spec.egressPorts),
    machines.limit(machine, hostSizeOf(spec), false),
  ]);
}
