import { defaults } from "@opencomputer/protocol/api";
import type { SandboxRemoval } from "../sandboxes/lifecycle/sandbox-removal.ts";
import { baseTemplate } from "../sandboxes/plan/resolve-config.ts";
import type { SandboxPlan } from "../sandboxes/plan/sandbox-plan.ts";
import type { SandboxMaintenanceRepository } from "../sandboxes/rows/sandbox-maintenance-repository.ts";

/** The sandboxes that images are built in. No route of the API shows them, and no limit counts them. */
export interface Builders {
  /** Makes a builder for the work, and removes it when the work has ended in any way. */
  use<Result>(
    orgId: string,
    memoryMB: number,
    signal: AbortSignal,
    work: (sandboxId: string) => Promise<Result>,
  ): Promise<Result>;
  /** Removes the builders of an earlier process. */
  removeAbandoned(): Promise<void>;
}

export function createBuilders(deps: {
  create: (orgId: string, plan: SandboxPlan, signal: AbortSignal) => Promise<{ id: string }>;
  removal: Pick<SandboxRemoval, "discard">;
  maintenance: Pick<SandboxMaintenanceRepository, "listBuilders">;
}): Builders {
  return {
    async use(orgId, memoryMB, signal, work) {
      const { id: sandboxId } = await deps.create(orgId, planBuilder(memoryMB), signal);
      try {
        return await work(sandboxId);
      } finally {
        await deps.removal.discard(orgId, sandboxId);
      }
    },

    async removeAbandoned() {
      for (const { orgId, id } of await deps.maintenance.listBuilders()) {
        await deps.removal.discard(orgId, id);
      }
    },
  };
}

/** Plans a sandbox that an image is built in: the base image, an open network, no secrets. */
function planBuilder(memoryMB: number): SandboxPlan {
  return {
    purpose: "builder",
    config: {
      ...{ templateId: baseTemplate, cpuCount: defaults.cpuCount, memoryMB, diskMB: null },
      ...{ scaling: null, idleTimeoutSeconds: 0, idle: "requests" },
      ...{ metadata: {}, workingDirectory: null },
      ...{ projectName: null, secretStoreName: null, baseSecretStoreName: null },
      ...{ secretStoreId: null, baseSecretStoreId: null },
    },
    ...{ checkpointId: null, fork: null, inheritedEnvs: {}, ownEnvs: {} },
    ...{ previewTokenHash: null, webhooks: [], hasSecretStore: false },
    ...{ base: { kind: "none" }, top: { kind: "none" } },
  };
}
