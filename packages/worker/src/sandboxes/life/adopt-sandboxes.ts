import { randomUUID } from "node:crypto";
import type { Machines } from "../../machines/create-machines.ts";
import type { Machine } from "../../machines/machine.ts";
import type { SavedMachines } from "../../saved-machines/create-saved-machines.ts";
import { stateOf } from "../registry/sandbox.ts";
import type { SandboxRegistry } from "../registry/sandbox-registry.ts";

interface AdoptParts {
  registry: SandboxRegistry;
  machines: Pick<Machines, "save" | "discard">;
  hibernated: Pick<SavedMachines, "list">;
  log: {
    info(details: object, message: string): void;
    warn(details: object, message: string): void;
    error(details: object, message: string): void;
  };
}

/** Adopts the machines of an earlier worker as sandboxes, and the sandboxes that it hibernated. */
export async function adoptSandboxes(
  parts: AdoptParts,
  machines: readonly Machine[],
): Promise<void> {
  for (const saved of parts.hibernated.list()) {
    if (saved.sandbox !== null) parts.registry.add(saved.sandbox);
  }
  // Of two machines of one sandbox, the one that has started is the sandbox's.
  const started = machines.filter(({ record }) => record.phase !== "prepared");
  const prepared = machines.filter(({ record }) => record.phase === "prepared");
  for (const machine of [...started, ...prepared]) await adoptMachine(parts, machine);
}

async function adoptMachine(
  { registry, machines, log }: AdoptParts,
  machine: Machine,
): Promise<void> {
  const { sandbox: spec, phase } = machine.record;
  if (spec === null) return;
  const { sandboxId } = spec;
  const present = registry.get(sandboxId);
  const isOutdated =
    present?.machine !== undefined || (present !== undefined && phase !== "prepared");
  if (isOutdated) {
    // It was replaced or saved, and its worker ended before it could discard it.
    log.info(
      { sandboxId, machineId: machine.id },
      "A machine that was replaced or saved is discarded",
    );
    return machines.discard(machine);
  }
  const sandbox = present ?? registry.add(spec);
  sandbox.spec = spec;
  await ensureMachineId({ machines, log }, machine);
  registry.giveMachine(sandbox, machine);
  if (machine.vm === undefined) sandbox.hasEnded = true;
  try {
    await registry.reconcileEnded(sandbox);
    if (phase === "started") await machine.vm?.resume();
  } catch (error) {
    // The failure of one sandbox does not keep others from being adopted.
    log.error({ sandboxId, err: error }, "An adopted sandbox could not be resumed");
  }
  log.info({ sandboxId, state: stateOf(sandbox) }, "A sandbox was adopted");
}

/** Adds a machine id to a record of an older worker. If it cannot be stored, the next worker makes another. */
async function ensureMachineId(
  { machines, log }: Pick<AdoptParts, "machines" | "log">,
  machine: Machine,
): Promise<void> {
  if (machine.record.machineId !== null) return;
  const record = { ...machine.record, machineId: randomUUID() };
  try {
    await machines.save(machine, record);
  } catch (error) {
    log.warn({ machineId: machine.id, err: error }, "The id of a machine could not be stored");
    machine.record = record;
  }
}
