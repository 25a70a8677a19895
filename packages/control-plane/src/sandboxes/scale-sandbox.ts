import {
  type Autoscale,
  initialScaling,
  type SandboxScaling,
  type ScaledSandbox,
  type ScalingLock,
  WireError,
  type WorkerAutoscaleRequest,
  type WorkerSandbox,
  type WorkerScaleRequest,
} from "@opencomputer/protocol";
import type { WorkerClient } from "../worker/worker-client.ts";
import type { WorkerLink } from "../worker/worker-link.ts";
import type { SandboxActivity } from "./sandbox-activity.ts";
import type { SandboxLifecycle } from "./sandbox-lifecycle.ts";
import { assertFitsHost } from "./sandbox-options.ts";
import type { SandboxRepository, SandboxRow } from "./sandbox-repository.ts";

/** What changes the size of sandboxes, and what may change it. */
export interface ScalingDeps {
  sandboxes: SandboxRepository;
  activity: SandboxActivity;
  lifecycle: SandboxLifecycle;
  worker: WorkerClient;
  workerLink: WorkerLink;
}

type Found = Pick<SandboxRow, "orgId" | "id">;

/**
 * Gives a sandbox another size; one that is hibernated is woken. A choice of
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
  const host = await deps.workerLink.assertReady();
  return duringUse(deps, id, async () => {
    const row = await deps.sandboxes.find(orgId, id);
    if (row !== undefined) assertPossible(row, request, host);
    return deps.lifecycle.holdRunning(orgId, id, async (running) => {
      assertPossible(running, request, host);
      const before = scalingOf(running);
      const after = await store(deps, running, await deps.worker.scale(id, request));
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
  const host = await deps.workerLink.assertReady();
  const { enabled, maxMemoryMB } = request;
  if (enabled && maxMemoryMB !== null && maxMemoryMB > host.memoryMBMax) {
    throw new WireError(
      "invalid_request",
      `maxMemoryMB: this host has at most ${host.memoryMBMax} for a sandbox, found ${maxMemoryMB}`,
    );
  }
  return duringUse(deps, id, () =>
    deps.lifecycle.hold(orgId, id, async (row) =>
      autoscaleOf(await store(deps, row, await deps.worker.setAutoscale(id, request))),
    ),
  );
}

/** Locks or unlocks the size. Locking disables autoscale. */
export async function setScalingLock(
  deps: ScalingDeps,
  { orgId, id }: Found,
  locked: boolean,
): Promise<ScalingLock> {
  await deps.workerLink.assertReady();
  return duringUse(deps, id, () =>
    deps.lifecycle.hold(orgId, id, async (row) =>
      scalingLockOf(await store(deps, row, await deps.worker.setScalingLock(id, locked))),
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
    );
  }
  if (memoryMB !== null) assertFitsHost({ cpuCount: 1, memoryMB }, host);
}

/** The row follows what the worker has; a kill meanwhile goes first. */
async function store(
  { sandboxes }: ScalingDeps,
  row: SandboxRow,
  { size }: WorkerSandbox,
): Promise<SandboxRow> {
  if (size === undefined) return row;
  await sandboxes.change(row.orgId, row.id, [row.state], size);
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
