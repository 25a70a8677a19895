import {
  type PrepareSandboxRequest,
  WireError,
  type WorkerAutoscaleRequest,
  type WorkerSandbox,
  type WorkerScaleRequest,
} from "@opencomputer/protocol";
import type { Machines } from "../machines/create-machines.ts";
import { runningMachine, type Sandbox } from "../sandboxes/sandbox.ts";
import type { SavedMachines } from "../saved-state/create-saved-machines.ts";
import { resizeMachine } from "./resize-machine.ts";
import { guestMemoryMBMax, scalingOf } from "./sandbox-size.ts";

/** Who wants another size. */
export type ScaleRequester = "owner" | "guest" | "autoscale";

/** Changes of the size of sandboxes, and of what may change it. */
export interface ScaleSandboxes {
  /**
   * Gives a running sandbox another size. An owner's choice of memory disables autoscale.
   *
   * @throws {WireError} `scaling_locked`, `oom_floor`, `unsupported_option` beyond
   * the host or the sandbox's own maximum, `sandbox_not_running`.
   */
  scale(
    sandboxId: string,
    request: WorkerScaleRequest,
    requester: ScaleRequester,
  ): Promise<WorkerSandbox>;
  /** @throws {WireError} `scaling_locked`, `unsupported_option` */
  setAutoscale(sandboxId: string, request: WorkerAutoscaleRequest): Promise<WorkerSandbox>;
  /** Locking disables autoscale; unlocking does not enable it again. */
  setScalingLock(sandboxId: string, locked: boolean): Promise<WorkerSandbox>;
}

export function createScaleSandboxes(deps: {
  machines: Pick<Machines, "limit" | "save">;
  hibernated: Pick<SavedMachines, "get" | "setSandbox">;
  change: <Result>(
    sandboxId: string,
    work: (sandbox: Sandbox) => Promise<Result>,
  ) => Promise<Result>;
  describe: (sandbox: Sandbox) => WorkerSandbox;
  checkSize: (spec: PrepareSandboxRequest) => void;
  log: {
    info(details: object, message: string): void;
    warn(details: object, message: string): void;
  };
}): ScaleSandboxes {
  const { machines, hibernated, change, describe, log } = deps;

  /** Wherever its specification is on the disk. */
  async function setSpec(sandbox: Sandbox, spec: PrepareSandboxRequest): Promise<void> {
    const { machine } = sandbox;
    const saved = hibernated.get(spec.sandboxId);
    if (saved !== undefined) await hibernated.setSandbox(saved.id, spec);
    if (machine !== undefined) await machines.save(machine, { ...machine.record, sandbox: spec });
    sandbox.spec = spec;
  }

  function assertPossible(spec: PrepareSandboxRequest, requester: ScaleRequester, from: Sandbox) {
    deps.checkSize(spec);
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

  return {
    scale: (sandboxId, request, requester) =>
      change(sandboxId, async (sandbox) => {
        const { spec } = sandbox;
        const scaling = scalingOf(spec);
        if (scaling.locked) throw scalingLocked(sandboxId);
        // Its owner may have decided otherwise since the reading.
        const isOver = requester === "autoscale" && scaling.autoscale?.enabled !== true;
        if (isOver) return describe(sandbox);
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
        assertPossible(to, requester, sandbox);
        if (vm === undefined) return describe(sandbox);
        // The record never says less than the machine has.
        const isGrowing = to.memoryMB > spec.memoryMB;
        if (isGrowing) await setSpec(sandbox, to);
        try {
          await resizeMachine({ machines, machine, vm, from: spec, to, log });
        } catch (error) {
          if (isGrowing) await setSpec(sandbox, spec);
          throw error;
        }
        if (!isGrowing) await setSpec(sandbox, to);
        log.info({ sandboxId, memoryMB, requester }, "A sandbox was scaled");
        return describe(sandbox);
      }),

    setAutoscale: (sandboxId, { enabled, minMemoryMB, maxMemoryMB }) =>
      change(sandboxId, async (sandbox) => {
        const { spec } = sandbox;
        const scaling = scalingOf(spec);
        if (enabled && scaling.locked) throw scalingLocked(sandboxId);
        const min = minMemoryMB ?? scaling.autoscale?.minMemoryMB;
        const max = maxMemoryMB ?? scaling.autoscale?.maxMemoryMB;
        if (min !== undefined && max !== undefined) {
          if (min > max) {
            throw unsupported(`minMemoryMB must be at most maxMemoryMB, got ${min} and ${max}`);
          }
          if (enabled) deps.checkSize({ ...spec, memoryMB: max });
          const autoscale = { enabled, minMemoryMB: min, maxMemoryMB: max };
          await setSpec(sandbox, { ...spec, scaling: { ...scaling, autoscale } });
        } else if (enabled) {
          throw unsupported("minMemoryMB and maxMemoryMB must be given to enable autoscale");
        }
        return describe(sandbox);
      }),

    setScalingLock: (sandboxId, locked) =>
      change(sandboxId, async (sandbox) => {
        const { spec } = sandbox;
        const scaling = scalingOf(spec);
        const autoscale =
          locked && scaling.autoscale !== null
            ? { ...scaling.autoscale, enabled: false }
            : scaling.autoscale;
        await setSpec(sandbox, { ...spec, scaling: { ...scaling, autoscale, locked } });
        return describe(sandbox);
      }),
  };
}

function unsupported(message: string): WireError {
  return new WireError("unsupported_option", message);
}

function scalingLocked(sandboxId: string): WireError {
  return new WireError(
    "scaling_locked",
    `The size of sandbox ${sandboxId} is locked: unlock it first (PUT /sandboxes/${sandboxId}/scaling-lock with {"locked": false})`,
  );
}
