import {
  type Autoscale,
  type ScaledSandbox,
  type ScalingLock,
  WireError,
} from "@opencomputer/protocol/api";
import {
  initialScaling,
  type SandboxScaling,
  type WorkerAutoscaleRequest,
  type WorkerSandbox,
  type WorkerScaleRequest,
} from "@opencomputer/protocol/wire";
import type { Workers } from "../../worker/workers.ts";
import type { SandboxActivity } from "../lifecycle/sandbox-activity.ts";
import type { SandboxLifecycle } from "../lifecycle/sandbox-lifecycle.ts";
import type { HeldSandboxRow, SandboxRepository, SandboxRow } from "../rows/sandbox-repository.ts";
import { assertFitsHost } from "./assert-fits-host.ts";

/** Dependencies of scaling, autoscale and the scaling lock. */
export interface ScalingDeps {
  sandboxes: SandboxRepository;
  activity: SandboxActivity;
  lifecycle: SandboxLifecycle;
  workers: Workers;
}

type Found = Pick<SandboxRow, "orgId" | "id">;

/**
 * Changes the size of a sandbox; one that is hibernated is woken. Choosing the
 * memory disables autoscale.
 *
 * @throws {WireError} `scaling_locked`, `oom_floor`, `invalid_request` or
 * `unsupported_option` beyond the host or its CPUs.
 */
export async function scaleSandbox(
  deps: ScalingDeps,
  { orgId, id }: Found,
  request: WorkerScaleRequest,
): Promise<ScaledSandbox> {
  const worker = deps.workers.of({ id });
  const host = await worker.readSizes();
  return duringUse(deps, id, async () => {
    const row = await deps.sandboxes.find(orgId, id);
    if (row !== undefined) assertPossible(row, request, host);
    return deps.lifecycle.holdRunning(orgId, id, async (running) => {
      assertPossible(running, request, host);
      const before = scalingOf(running);
      const after = await store(deps, running, await worker.scale(id, request));
      const scaling = scalingOf(after);
      return {
        sandboxID: id,
        memoryMB: after.memoryMB,
        cpuPercent: scaling.cpuPercent ?? after.cpuCount * 100,
        autoscaleDisabled: isEnabled(before) && !isEnabled(scaling),
      };
    });
  });
}

/** @throws {WireError} `scaling_locked`, `invalid_request` for bounds that the host does not have. */
export async function setAutoscale(
  deps: ScalingDeps,
  { orgId, id }: Found,
  request: WorkerAutoscaleRequest,
): Promise<Autoscale> {
  const worker = deps.workers.of({ id });
  const host = await worker.readSizes();
  const { enabled, maxMemoryMB } = request;
  if (enabled && maxMemoryMB !== null && maxMemoryMB > host.memoryMBMax) {
    throw new WireError(
      "invalid_request",
      `maxMemoryMB: this host has at most ${host.memoryMBMax} for a sandbox, found ${maxMemoryMB}`,
    );
  }
  return duringUse(deps, id, () =>
    deps.lifecycle.hold(orgId, id, async (row) =>
      autoscaleOf(await store(deps, row, await worker.setAutoscale(id, request))),
    ),
  );
}

/** Locks or unlocks the size. Locking disables autoscale. */
export async function setScalingLock(
  deps: ScalingDeps,
  { orgId, id }: Found,
  locked: boolean,
): Promise<ScalingLock> {
  const worker = deps.workers.of({ id });
  await worker.readSizes();
  return duringUse(deps, id, () =>
    deps.lifecycle.hold(orgId, id, async (row) =>
      scalingLockOf(await store(deps, row, await worker.setScalingLock(id, locked))),
    ),
  );
}

export function autoscaleOf(row: SandboxRow): Autoscale {
  const { autoscale } = scalingOf(row);
  const { enabled, minMemoryMB, maxMemoryMB } = autoscale ?? {
    enabled: false,
    minMemoryMB: 0,
    maxMemoryMB: 0,
  };
  return { sandboxID: row.id, enabled, minMemoryMB, maxMemoryMB };
}

export function scalingLockOf(row: SandboxRow): ScalingLock {
  return { sandboxID: row.id, locked: scalingOf(row).locked };
}

function scalingOf({ memoryMB, scaling }: SandboxRow): SandboxScaling {
  return scaling ?? initialScaling(memoryMB);
}

const isEnabled = ({ autoscale }: SandboxScaling) => autoscale?.enabled === true;

function assertPossible(
  row: SandboxRow,
  { memoryMB }: WorkerScaleRequest,
  host: { cpuCountMax: number; memoryMBMax: number },
): void {
  if (scalingOf(row).locked) {
    throw new WireError(
      "scaling_locked",
      `The size of sandbox ${row.id} is locked: unlock it first (PUT /sandboxes/${row.id}/scaling-lock with {"locked": false})`,
      { remediation: `oc sandbox unlock ${row.id}` },
    );
  }
  if (memoryMB !== null) assertFitsHost({ cpuCount: 1, memoryMB }, host);
}

/** Stores the size that the worker reports, unless the sandbox was killed meanwhile. */
async function store(
  { sandboxes }: ScalingDeps,
  row: HeldSandboxRow,
  { size }: WorkerSandbox,
): Promise<SandboxRow> {
  if (size === undefined) return row;
  await sandboxes.changeHeld(row, size);
  return { ...row, ...size };
}

async function duringUse<Result>(
  { activity }: ScalingDeps,
  sandboxId: string,
  work: () => Promise<Result>,
): Promise<Result> {
  const end = activity.begin(sandboxId);
  try {
    return await work();
  } finally {
    end();
  }
}
