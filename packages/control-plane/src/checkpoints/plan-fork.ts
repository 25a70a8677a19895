import type { ForkRequest } from "@opencomputer/protocol/api";
import type { SandboxScaling } from "@opencomputer/protocol/wire";
import type { SandboxPlan } from "../sandboxes/plan/sandbox-plan.ts";
import { configOf } from "../sandboxes/rows/sandbox-config.ts";
import type { CheckpointRow } from "./checkpoint-repository.ts";

/**
 * Plans a fork: the secrets of the checkpoint are the base, already merged, and the
 * fork's store is laid over them. So forks of forks leave no chain of stores to resolve.
 */
export function planFork(checkpoint: CheckpointRow, request: ForkRequest): SandboxPlan {
  const { envs, egressMode, egressAllowlist: _, ...inherited } = configOf(checkpoint);
  const storeName = request.secretStore || null;
  return {
    purpose: "user",
    config: {
      ...inherited,
      memoryMB: request.memoryMB || inherited.memoryMB,
      scaling: forkScaling(checkpoint, request.memoryMB || null),
      idleTimeoutSeconds: request.timeout ?? inherited.idleTimeoutSeconds,
      idle: request.idle ?? inherited.idle,
      metadata: request.metadata ?? inherited.metadata,
      ...(storeName === null
        ? {}
        : {
            secretStoreName: storeName,
            baseSecretStoreName: inherited.secretStoreName ?? inherited.projectName,
            secretStoreId: null,
            baseSecretStoreId: inherited.secretStoreId,
          }),
    },
    checkpointId: checkpoint.id,
    fork: { checkpointId: checkpoint.id, parentSandboxId: checkpoint.sandboxId },
    inheritedEnvs: envs,
    ownEnvs: request.envs ?? {},
    previewTokenHash: null,
    webhooks: [],
    hasSecretStore: storeName !== null || egressMode !== "open",
    base: { kind: "checkpoint", checkpointId: checkpoint.id },
    top: storeName === null ? { kind: "none" } : { kind: "store", name: storeName },
  };
}

/** CPU time and autoscale are inherited, the lock is not; choosing a size disables autoscale. */
function forkScaling(
  { scaling, memoryMB }: Pick<CheckpointRow, "scaling" | "memoryMB">,
  ownMemoryMB: number | null,
): SandboxScaling | null {
  if (scaling === null) return null;
  const { autoscale } = scaling;
  return {
    ...scaling,
    ownerMemoryMB: ownMemoryMB ?? memoryMB,
    autoscale:
      autoscale === null || ownMemoryMB === null ? autoscale : { ...autoscale, enabled: false },
    locked: false,
  };
}
