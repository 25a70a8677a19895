import type { Autoscale, ScaledSandbox, ScalingLock } from "@opencomputer/protocol/api";
import type { WorkerAutoscaleRequest, WorkerScaleRequest } from "@opencomputer/protocol/wire";
import { rebootSandbox } from "../lifecycle/reboot-sandbox.ts";
import type { ReplaceMachineDeps } from "../lifecycle/replace-machine.ts";
import { findPresentSandbox } from "../rows/find-sandbox.ts";
import {
  autoscaleOf,
  type ScalingDeps,
  scaleSandbox,
  scalingLockOf,
  setAutoscale,
  setScalingLock,
} from "./scale-sandbox.ts";

/**
 * The size of sandboxes, and their reboot. Every method throws a `WireError`:
 * `sandbox_not_found`, `sandbox_not_running`, and what the functions of the same
 * name throw.
 */
export interface ScalingService {
  scale(orgId: string, sandboxId: string, request: WorkerScaleRequest): Promise<ScaledSandbox>;
  getAutoscale(orgId: string, sandboxId: string): Promise<Autoscale>;
  setAutoscale(
    orgId: string,
    sandboxId: string,
    request: WorkerAutoscaleRequest,
  ): Promise<Autoscale>;
  getLock(orgId: string, sandboxId: string): Promise<ScalingLock>;
  setLock(orgId: string, sandboxId: string, locked: boolean): Promise<ScalingLock>;
  reboot(orgId: string, sandboxId: string, options: { orderly: boolean }): Promise<void>;
}

export function createScalingService(deps: ScalingDeps & ReplaceMachineDeps): ScalingService {
  const find = (orgId: string, sandboxId: string) =>
    findPresentSandbox(deps.sandboxes, orgId, sandboxId);

  return {
    scale: async (orgId, id, request) => scaleSandbox(deps, await find(orgId, id), request),
    getAutoscale: async (orgId, id) => autoscaleOf(await find(orgId, id)),
    setAutoscale: async (orgId, id, request) => setAutoscale(deps, await find(orgId, id), request),
    getLock: async (orgId, id) => scalingLockOf(await find(orgId, id)),
    setLock: async (orgId, id, locked) => setScalingLock(deps, await find(orgId, id), locked),
    reboot: async (orgId, id, options) => rebootSandbox(deps, await find(orgId, id), options),
  };
}
