import type { SandboxTags, TagKey } from "@opencomputer/protocol/api";
import { findSandbox, sandboxNotFound } from "../rows/find-sandbox.ts";
import type { SandboxRepository } from "../rows/sandbox-repository.ts";
import { type TagRepository, toSandboxTags } from "../rows/tag-repository.ts";

/** Tags of sandboxes, of stopped ones too. */
export interface TagService {
  /** @throws {WireError} `sandbox_not_found` */
  replace(orgId: string, sandboxId: string, tags: Record<string, string>): Promise<SandboxTags>;
  /** @throws {WireError} `sandbox_not_found` */
  get(orgId: string, sandboxId: string): Promise<SandboxTags>;
  /** The keys in use, with how many sandboxes and values each has. */
  listKeys(orgId: string): Promise<TagKey[]>;
}

export function createTagService(deps: {
  sandboxes: SandboxRepository;
  tags: TagRepository;
}): TagService {
  const { sandboxes, tags } = deps;
  return {
    async replace(orgId, sandboxId, given) {
      const { id } = await findSandbox(sandboxes, orgId, sandboxId);
      const replaced = await tags.replace(orgId, id, given);
      if (replaced === undefined) throw sandboxNotFound(id);
      return replaced;
    },

    async get(orgId, sandboxId) {
      return toSandboxTags(await findSandbox(sandboxes, orgId, sandboxId));
    },

    listKeys: (orgId) => tags.listKeys(orgId),
  };
}
