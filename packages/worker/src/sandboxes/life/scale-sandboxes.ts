import { WireError } from "@opencomputer/protocol/api";
import type {
  PrepareSandboxRequest,
  WorkerAutoscaleRequest,
  WorkerSandbox,
  WorkerScaleRequest,
} from "@opencomputer/protocol/wire";
import type { Machines } from "../../machines/create-machines.ts";
import type { SavedMachines } from "../../saved-machines/create-saved-machines.ts";
import { resizeMachine } from "../../scaling/resize-machine.ts";
import { guestMemoryMBMax, scalingOf } from "../../scaling/sandbox-size.ts";
import { runningMachine, type Sandbox } from "../registry/sandbox.ts";
import type { SandboxRegistry } from "../registry/sandbox-registry.ts";

/** Who asks for another size. */
export type ScaleRequester = "owner" | "guest" | "autoscale";

/** What changes of the size of sandboxes need. */
export interface ScaleParts {
  readonly registry: Pick<SandboxRegistry, "change" | "describe">;
  readonly machines: Pick<Machines, "limit" | "save">;
  readonly hibernated: Pick<SavedMachines, "get" | "setSandbox">;
  readonly checkSize: (spec: PrepareSandboxRequest) => void;
  readonly log: {
    info(details: object, message: string): void;
    warn(details: object, message: string): void;
  };
}

/**
 * Gives a running sandbox another size. An owner's choice of memory disables autoscale.
 *
 * @throws {WireError} `scaling_locked`, `oom_floor`, `unsupported_option` beyond
 * the host or the sandbox's own maximum, `sandbox_not_running`.
 */
export function scaleSandbox(
  parts: ScaleParts,
  sandboxId: string,
  request: WorkerScaleRequest,
  requester: ScaleRequester,
): Promise<WorkerSandbox> {
  const { registry, machines, log } = parts;
  return registry.change(sandboxId, async (sandbox) => {
    const { spec } = sandbox;
    const scaling = scalingOf(spec);
    if (scaling.locked) throw scalingLocked(sandboxId);
    // Its owner may have disabled autoscale since the reading.
    const isDisabled = requester === "autoscale" && scaling.autoscale?.enabled !== true;
    if (isDisabled) return registry.describe(sandbox);
    const machine = runningMachine(sandbox);
    const { vm } = machine;
    const memoryMB = request.memoryMB ?? spec.memoryMB;
    const isOwners = requester === "owner" && request.memoryMB !== null;
    const to: PrepareSandboxRequest = {
      ...spec,
      memoryMB,
      scaling: {
        ...scaling,
        cpuPercent: request.cpuPercent ?? scaling.cpuPercent,
        ownerMemoryMB: isOwners ? memoryMB : scaling.ownerMemoryMB,
        autoscale:
          isOwners && scaling.autoscale !== null
            ? { ...scaling.autoscale, enabled: false }
            : scaling.autoscale,
      },
    };
    assertPossible(parts, to, requester, sandbox);
    if (vm === undefined) return registry.describe(sandbox);
    // The record never has less than the machine.
    const isGrowing = to.memoryMB > spec.memoryMB;
    if (isGrowing) await setSpec(parts, sandbox, to);
    try {
      await resizeMachine({ machines, machine, vm, from: spec, to, log });
    } catch (error) {
      if (isGrowing) await setSpec(parts, sandbox, spec);
      throw error;
    }
    if (!isGrowing) await setSpec(parts, sandbox, to);
    log.info({ sandboxId, memoryMB, requester }, "A sandbox was scaled");
    return registry.describe(sandbox);
  });
}

/** Sets the bounds of autoscale. @throws {WireError} `scaling_locked`, `unsupported_option` */
export function setAutoscale(
  parts: ScaleParts,
  sandboxId: string,
  { enabled, minMemoryMB, maxMemoryMB }: WorkerAutoscaleRequest,
): Promise<WorkerSandbox> {
  const { registry } = parts;
  return registry.change(sandboxId, async (sandbox) => {
    const { spec } = sandbox;
    const scaling = scalingOf(spec);
    if (enabled && scaling.locked) throw scalingLocked(sandboxId);
    const min = minMemoryMB ?? scaling.autoscale?.minMemoryMB;
    const max = maxMemoryMB ?? scaling.autoscale?.maxMemoryMB;
    if (min !== undefined && max !== undefined) {
      if (min > max) {
        throw unsupported(`minMemoryMB must be at most maxMemoryMB, got ${min} and ${max}`);
      }
      if (enabled) parts.checkSize({ ...spec, memoryMB: max });
      const autoscale = { enabled, minMemoryMB: min, maxMemoryMB: max };
      await setSpec(parts, sandbox, { ...spec, scaling: { ...scaling, autoscale } });
    } else if (enabled) {
      throw unsupported("minMemoryMB and maxMemoryMB must be given to enable autoscale");
    }
    return registry.describe(sandbox);
  });
}

/** Locks or unlocks the size. Locking disables autoscale; unlocking does not enable it again. */
export function setScalingLock(
  parts: ScaleParts,
  sandboxId: string,
  locked: boolean,
): Promise<WorkerSandbox> {
  const { registry } = parts;
  return registry.change(sandboxId, async (sandbox) => {
    const { spec } = sandbox;
    const scaling = scalingOf(spec);
    const autoscale =
      locked && scaling.autoscale !== null
        ? { ...scaling.autoscale, enabled: false }
        : scaling.autoscale;
    await setSpec(parts, sandbox, { ...spec, scaling: { ...scaling, autoscale, locked } });
    return registry.describe(sandbox);
  });
}

/** Replaces its specification, in memory and in the records on the disk. */
async function setSpec(
  { machines, hibernated }: ScaleParts,
  sandbox: Sandbox,
  spec: PrepareSandboxRequest,
): Promise<void> {
  const { machine } = sandbox;
  const saved = hibernated.get(spec.sandboxId);
  if (saved !== undefined) await hibernated.setSandbox(saved.id, spec);
  if (machine !== undefined) await machines.save(machine, { ...machine.record, sandbox: spec });
  sandbox.spec = spec;
}

function assertPossible(
  { checkSize }: ScaleParts,
  spec: PrepareSandboxRequest,
  requester: ScaleRequester,
  from: Sandbox,
): void {
  checkSize(spec);
  const { cpuPercent } = scalingOf(spec);
  if (cpuPercent !== null && cpuPercent > spec.cpuCount * 100) {
    throw unsupported(
      `cpuPercent must be at most ${spec.cpuCount * 100} for a sandbox of ${spec.cpuCount} CPUs, got ${cpuPercent}`,
    );
  }
  const memoryMBMax = guestMemoryMBMax(from.spec);
  if (requester === "guest" && spec.memoryMB > memoryMBMax) {
    throw unsupported(
      `memoryMB must be at most ${memoryMBMax} for this sandbox, got ${spec.memoryMB}: its owner can scale it, or raise the maximum of its autoscale`,
    );
  }
}

function unsupported(message: string): WireError {
  return new WireError("unsupported_option", message);
}

function scalingLocked(sandboxId: string): WireError {
  return new WireError(
    "scaling_locked",
    `The size of sandbox ${sandboxId} is locked: unlock it first (PUT /sandboxes/${sandboxId}/scaling-lock with {"locked": false})`,
    { remediation: `oc sandbox unlock ${sandboxId}` },
  );
}
