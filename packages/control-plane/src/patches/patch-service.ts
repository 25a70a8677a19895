import type { PatchRecord } from "@opencomputer/protocol/api";
import type { PatchRepository } from "./patch-repository.ts";

/** Scripts that every fork of a checkpoint runs. Every method throws `checkpoint_not_found`. */
export interface PatchService {
  create(
    orgId: string,
    checkpointId: string,
    patch: Parameters<PatchRepository["create"]>[2],
  ): Promise<PatchRecord>;
  /** Lists the patches of a checkpoint in the order in which they run. */
  list(orgId: string, checkpointId: string): Promise<PatchRecord[]>;
  /** @throws {WireError} `patch_not_found` */
  delete(orgId: string, checkpointId: string, patchId: string): Promise<void>;
}

export function createPatchService(deps: {
  patches: PatchRepository;
  /** @throws {WireError} `checkpoint_not_found` */
  findCheckpoint: (orgId: string, checkpointId: string) => Promise<{ id: string }>;
}): PatchService {
  const { patches, findCheckpoint } = deps;
  return {
    async create(orgId, checkpointId, patch) {
      const { id } = await findCheckpoint(orgId, checkpointId);
      return patches.create(orgId, id, patch);
    },

    async list(orgId, checkpointId) {
      const { id } = await findCheckpoint(orgId, checkpointId);
      return patches.list(orgId, id);
    },

    async delete(orgId, checkpointId, patchId) {
      const { id } = await findCheckpoint(orgId, checkpointId);
      await patches.delete(orgId, id, patchId);
    },
  };
}
