import { createHash } from "node:crypto";
import type { ImageManifest } from "@opencomputer/protocol/api";
import { limits } from "@opencomputer/protocol/api";
import type { Database } from "../database/database.ts";
import { and, desc, eq, sql } from "../database/query-builder.ts";
import { images, snapshots } from "../database/schema.ts";
import { assertDiskBudget, imageBytesMax } from "../orgs/disk-budget.ts";
import type { OrgTransactions } from "../orgs/org-repository.ts";
export type ImageRow = typeof images.$inferSelect;

/** Stores images by org. No caller of the API names one: they are found by what they are made of. */
export function createImageRepository(
  database: Database,
  orgTransactions: OrgTransactions,
  /** What sandboxes, checkpoints and images of an org may take on the disk. */
  { diskMBPerOrgMax }: { diskMBPerOrgMax: number },
) {
  const one = (orgId: string, contentHash: string) =>
    and(eq(images.orgId, orgId), eq(images.contentHash, contentHash));

  return {
    /** Returns the finished image of a content, and counts it as used. */
    async use(orgId: string, contentHash: string): Promise<ImageRow | undefined> {
      const [row] = await database
        .update(images)
        .set({ lastUsedAt: new Date() })
        .where(and(one(orgId, contentHash), eq(images.state, "ready")))
        .returning();
      return row;
    },

    /**
     * Adds an image that is being built. Its size is the most that it can take until
     * it is known.
     *
     * @throws {WireError} `limit_reached`
     */
    async begin(
      orgId: string,
      contentHash: string,
      { checkpointId, memoryMB }: { checkpointId: string; memoryMB: number },
    ): Promise<void> {
      await orgTransactions.run(orgId, async (transaction) => {
        await transaction.insert(images).values({
          ...{ orgId, contentHash, checkpointId, state: "building" },
          ...{ envs: {}, workingDirectory: null, sizeBytes: imageBytesMax(memoryMB) },
        });
        await assertDiskBudget(transaction, orgId, diskMBPerOrgMax);
      });
    },

    async complete(
      orgId: string,
      contentHash: string,
      result: Pick<ImageRow, "envs" | "workingDirectory" | "sizeBytes">,
    ): Promise<void> {
      await database
        .update(images)
        .set({ ...result, state: "ready", lastUsedAt: new Date() })
        .where(one(orgId, contentHash));
    },

    async delete(orgId: string, contentHash: string): Promise<void> {
      await database.delete(images).where(one(orgId, contentHash));
    },
  };
}
export type ImageRepository = ReturnType<typeof createImageRepository>;

/** Reads and changes images across orgs, for maintenance. */
export function createImageMaintenanceRepository(database: Database) {
  return {
    /** Lists checkpoints of the worker that are images, or are to become one. */
    async listCheckpointIds(state?: ImageRow["state"]): Promise<string[]> {
      const rows = await database
        .select({ checkpointId: images.checkpointId })
        .from(images)
        .where(state === undefined ? undefined : eq(images.state, state));
      return rows.map(({ checkpointId }) => checkpointId);
    },

    /** Deletes the row of an image whose checkpoint the worker does not have. */
    async delete(checkpointId: string): Promise<void> {
      await database.delete(images).where(eq(images.checkpointId, checkpointId));
    },

    /** Deletes the rows of builds of an earlier process. */
    async deleteBuilds(): Promise<void> {
      await database.delete(images).where(eq(images.state, "building"));
    },

    /**
     * Deletes the rows of images that no snapshot names and that are over a limit:
     * unused for too long, or more or larger than an org may keep. Those used longest
     * ago are deleted first.
     *
     * @returns the checkpoints that they were.
     */
    async deleteUnused(now: Date): Promise<string[]> {
      const cached = await database
        .select({
          ...{ orgId: images.orgId, checkpointId: images.checkpointId },
          ...{ sizeBytes: images.sizeBytes, lastUsedAt: images.lastUsedAt },
        })
        .from(images)
        .where(
          and(
            eq(images.state, "ready"),
            sql`not exists (select 1 from ${snapshots} where ${snapshots.orgId} = ${images.orgId} and ${snapshots.contentHash} = ${images.contentHash})`,
          ),
        )
        .orderBy(desc(images.lastUsedAt));
      const unused = imagesOverLimits(cached, now);
      for (const { checkpointId, lastUsedAt } of unused) {
        await database
          .delete(images)
          .where(and(eq(images.checkpointId, checkpointId), eq(images.lastUsedAt, lastUsedAt)));
      }
      return unused.map(({ checkpointId }) => checkpointId);
    },
  };
}
export type ImageMaintenanceRepository = ReturnType<typeof createImageMaintenanceRepository>;

type CachedImage = Pick<ImageRow, "orgId" | "checkpointId" | "sizeBytes" | "lastUsedAt">;

/** Chooses the images to delete of those without a snapshot, the last used first. */
export function imagesOverLimits(cached: readonly CachedImage[], now: Date): CachedImage[] {
  const kept = new Map<string, { count: number; bytes: number }>();
  const oldest = now.getTime() - limits.cachedImageIdleSecondsMax * 1000;
  return cached.filter(({ orgId, sizeBytes, lastUsedAt }) => {
    const { count, bytes } = kept.get(orgId) ?? { count: 0, bytes: 0 };
    const fits =
      lastUsedAt.getTime() >= oldest &&
      count < limits.cachedImagesPerOrgMax &&
      bytes + sizeBytes <= limits.cachedImagesBytesPerOrgMax;
    if (fits) kept.set(orgId, { count: count + 1, bytes: bytes + sizeBytes });
    return !fits;
  });
}

/**
 * Computes the cache key of an image: the SHA-256, hexadecimal, of the JSON of its base
 * and steps. A parsed manifest has its fields in the order of their schema, so
 * the order in which a client sent them does not matter.
 */
export function imageContentHash({ base, steps }: ImageManifest): string {
  return createHash("sha256").update(JSON.stringify({ base, steps }), "utf8").digest("hex");
}
