import {
  limits,
  type SandboxTags,
  type TagChanges,
  type TagKey,
  WireError,
} from "@opencomputer/protocol/api";
import { findSandbox, sandboxNotFound } from "../rows/find-sandbox.ts";
import type { SandboxRepository } from "../rows/sandbox-repository.ts";
import { type TagRepository, toSandboxTags } from "../rows/tag-repository.ts";

/** Tags of sandboxes, of stopped ones too. */
export interface TagService {
  /** @throws {WireError} `sandbox_not_found` */
  replace(orgId: string, sandboxId: string, tags: Record<string, string>): Promise<SandboxTags>;
  /**
   * Sets the tags that have a value, removes those that are null and keeps the others.
   *
   * @throws {WireError} `sandbox_not_found`, `limit_exceeded`
   */
  change(orgId: string, sandboxId: string, changes: TagChanges): Promise<SandboxTags>;
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

    async change(orgId, sandboxId, changes) {
      const { id } = await findSandbox(sandboxes, orgId, sandboxId);
      const changed = await tags.change(orgId, id, changes);
      if (changed !== undefined) return changed;
      const found = await findSandbox(sandboxes, orgId, sandboxId);
      throw tooManyTags(id, Object.keys(found.tags).length);
    },

    async get(orgId, sandboxId) {
      return toSandboxTags(await findSandbox(sandboxes, orgId, sandboxId));
    },

    listKeys: (orgId) => tags.listKeys(orgId),
  };
}

function tooManyTags(sandboxId: string, count: number): WireError {
  return new WireError(
    "limit_exceeded",
    `Tag limit reached: ${sandboxId} has ${count} of ${limits.tagsPerSandboxMax} tags, and these changes would add too many. Remove some, in the same request if you like`,
    { remediation: `oc tag delete ${sandboxId} <key>` },
  );
}
