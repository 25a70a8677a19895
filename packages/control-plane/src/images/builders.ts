import type { SandboxRemoval } from "../sandboxes/sandbox-removal.ts";
import type { SandboxUpkeepRepository } from "../sandboxes/sandbox-repository.ts";

/** The sandboxes that images are built in. No route of the API shows them, and no limit counts them. */
export interface Builders {
  /** Makes a builder for the work, and takes it away whatever becomes of the work. */
  use<Result>(
    orgId: string,
    memoryMB: number,
    signal: AbortSignal,
    work: (sandboxId: string) => Promise<Result>,
  ): Promise<Result>;
  /** Takes the builders of an earlier process away. */
  removeAbandoned(): Promise<void>;
}

export function createBuilders(deps: {
  create: (orgId: string, memoryMB: number, signal: AbortSignal) => Promise<string>;
  removal: Pick<SandboxRemoval, "discard">;
  upkeep: Pick<SandboxUpkeepRepository, "listBuilders">;
}): Builders {
  return {
    async use(orgId, memoryMB, signal, work) {
      const sandboxId = await deps.create(orgId, memoryMB, signal);
      try {
        return await work(sandboxId);
      } finally {
        await deps.removal.discard(orgId, sandboxId);
      }
    },

    async removeAbandoned() {
      for (const { orgId, id } of await deps.upkeep.listBuilders()) {
        await deps.removal.discard(orgId, id);
      }
    },
  };
}
