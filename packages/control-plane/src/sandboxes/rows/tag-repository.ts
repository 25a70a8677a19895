import { limits, type SandboxTags, type TagChanges, type TagKey } from "@opencomputer/protocol/api";
import type { Database } from "../../database/database.ts";
import { and, count, eq, inArray, sql } from "../../database/query-builder.ts";
import { sandboxes } from "../../database/schema.ts";
import { presentStates } from "./sandbox-states.ts";

/** Stores the tags of an org's sandboxes. */
export function createTagRepository(database: Database) {
  return {
    /**
     * Replaces all tags of a sandbox that the caller has found by its org. The
     * time of the change moves only when the tags differ.
     *
     * @returns `undefined` when the sandbox was removed meanwhile.
     */
    async replace(
      orgId: string,
      sandboxId: string,
      tags: Record<string, string>,
    ): Promise<SandboxTags | undefined> {
      const json = JSON.stringify(tags);
      const [row] = await database
        .update(sandboxes)
        .set({
          tags,
          tagsUpdatedAt: sql`case when ${sandboxes.tags} = ${json}::jsonb then ${sandboxes.tagsUpdatedAt} else now() end`,
        })
        .where(and(eq(sandboxes.orgId, orgId), eq(sandboxes.id, sandboxId)))
        .returning({ tags: sandboxes.tags, tagsUpdatedAt: sandboxes.tagsUpdatedAt });
      return row === undefined ? undefined : toSandboxTags(row);
    },

    /**
     * Changes some tags of a sandbox that the caller has found by its org, in one
     * statement: of changes at the same time none is lost. The time of the change
     * moves only when the tags differ.
     *
     * @returns `undefined` when the sandbox was removed meanwhile, or would have too many tags.
     */
    async change(
      orgId: string,
      sandboxId: string,
      changes: TagChanges,
    ): Promise<SandboxTags | undefined> {
      const changed = sql`jsonb_strip_nulls(${sandboxes.tags} || ${JSON.stringify(changes)}::jsonb)`;
      const [row] = await database
        .update(sandboxes)
        .set({
          tags: changed,
          tagsUpdatedAt: sql`case when ${sandboxes.tags} = ${changed} then ${sandboxes.tagsUpdatedAt} else now() end`,
        })
        .where(
          and(
            eq(sandboxes.orgId, orgId),
            eq(sandboxes.id, sandboxId),
            sql`(select count(*) from jsonb_object_keys(${changed})) <= ${limits.tagsPerSandboxMax}`,
          ),
        )
        .returning({ tags: sandboxes.tags, tagsUpdatedAt: sandboxes.tagsUpdatedAt });
      return row === undefined ? undefined : toSandboxTags(row);
    },

    /** Lists the keys on the org's sandboxes, running and hibernated, by name. */
    async listKeys(orgId: string): Promise<TagKey[]> {
      const key = sql<string>`tag.key`;
      return database
        .select({
          key,
          sandboxCount: count(),
          valueCount: sql`count(distinct tag.value)`.mapWith(Number),
        })
        .from(sandboxes)
        .crossJoinLateral(sql`jsonb_each_text(${sandboxes.tags}) as tag(key, value)`)
        .where(and(eq(sandboxes.orgId, orgId), inArray(sandboxes.state, presentStates)))
        .groupBy(key)
        .orderBy(sql`tag.key collate "C"`);
    },
  };
}
export type TagRepository = ReturnType<typeof createTagRepository>;

export function toSandboxTags(
  row: Pick<typeof sandboxes.$inferSelect, "tags" | "tagsUpdatedAt">,
): SandboxTags {
  return { tags: row.tags, tagsLastUpdatedAt: row.tagsUpdatedAt?.toISOString() ?? null };
}
