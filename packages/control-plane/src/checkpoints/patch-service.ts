import type { PatchRecord } from "@opencomputer/protocol/api";
import type { PatchRepository } from "../patches/patch-repository.ts";
import { checkpointNotFound } from "./checkpoint-record.ts";
import type { CheckpointRepository } from "./checkpoint-repository.ts";

/** Scripts that every fork of a checkpoint runs. Every method throws `checkpoint_not_found`. */
export interface PatchService {
  create(
    orgId: string,
    checkpointId: string,
    patch: Parameters<PatchRepository["create"]>[2],
  ): Promise<PatchRecord>;
  /** Those of a checkpoint in their order. */
  list(orgId: string, checkpointId: string): Promise<PatchRecord[]>;
  /** @throws {WireError} `patch_not_found` */
  delete(orgId: string, checkpointId: string, patchId: string): Promise<void>;
}

export function createPatchService(deps: {
  checkpoints: CheckpointRepository;
  patches: PatchRepository;
}): PatchService {
  const { checkpoints, patches } = deps;

  async function findId(orgId: string, checkpointId: string): Promise<string> {
    const checkpoint = await checkpoints.find(orgId, checkpointId);
    if (checkpoint === undefined) throw checkpointNotFound(checkpointId);
    return checkpoint.id;
  }

  return {
    create: async (orgId, checkpointId, patch) =>
      patches.create(orgId, await findId(orgId, checkpointId), patch),
    list: async (orgId, checkpointId) => patches.list(orgId, await findId(orgId, checkpointId)),
    delete: async (orgId, checkpointId, patchId) =>
      patches.delete(orgId, await findId(orgId, checkpointId), patchId),
  };
}
