import type { ForkRequest, SandboxScaling } from "@opencomputer/protocol";
import type { SandboxPlan } from "../sandboxes/sandbox-plan.ts";
import type { CheckpointRow } from "./checkpoint-repository.ts";

/**
 * The plan of a fork: what the checkpoint inherited is the base, whatever it
 * was merged from, and the fork's store is laid over it. So no depth of forks
 * leaves a chain of stores to resolve.
 */
export function planFork(
  checkpoint: CheckpointRow,
  layers: Pick<SandboxPlan, "base" | "top" | "inheritedFormerSecrets">,
  request: ForkRequest,
): SandboxPlan {
  const storeName = request.secretStore || null;
  return {
    ...layers,
    options: {
      templateId: checkpoint.templateId,
      cpuCount: checkpoint.cpuCount,
      memoryMB: request.memoryMB || checkpoint.memoryMB,
      diskMB: checkpoint.diskMB,
      idleTimeoutSeconds: request.timeout ?? checkpoint.idleTimeoutSeconds,
      idle: request.idle ?? checkpoint.idle,
      scaling: forkScaling(checkpoint, request.memoryMB || null),
    },
    purpose: "user",
    checkpointId: checkpoint.id,
    fromCheckpointId: checkpoint.id,
    inheritedEnvs: checkpoint.envs,
    envs: request.envs ?? {},
    workingDirectory: checkpoint.workingDirectory,
    metadata: request.metadata ?? checkpoint.metadata,
    projectName: checkpoint.projectName,
    ...(storeName === null
      ? {
          secretStoreName: checkpoint.secretStoreName,
          baseSecretStoreName: checkpoint.baseSecretStoreName,
        }
      : {
          secretStoreName: storeName,
          baseSecretStoreName: checkpoint.secretStoreName ?? checkpoint.projectName,
        }),
    hasSecretStore: storeName !== null || checkpoint.egressMode !== "open",
  };
}

/** CPU time and autoscale are inherited, the lock is not; a size of its own disables autoscale. */
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
