import {
  createSnapshotRequestSchema,
  type ImageManifest,
  imageManifestSchema,
  limits,
  type SnapshotRecord,
  toStorableText,
  WireError,
} from "@opencomputer/protocol/api";
import type { Database } from "../database/database.ts";
import { isUniqueViolation } from "../database/database.ts";
import { and, asc, eq, inArray, sql, sum } from "../database/query-builder.ts";
import { snapshots } from "../database/schema.ts";
import { assertDiskBudget } from "../orgs/disk-budget.ts";
import type { OrgTransactions } from "../orgs/org-repository.ts";
import { imageContentHash } from "./image-repository.ts";
import { largestPartBytes, manifestParts } from "./manifest-parts.ts";

/** Snapshots that are read as they are iterated over: together they may be too large for the memory. */
export interface SnapshotList {
  records: AsyncIterable<SnapshotRecord>;
  /** How large the manifests are that are in memory at a time. */
  heldBytesMax: number;
}

/** Stores snapshots by org and name. */
export function createSnapshotRepository(
  database: Database,
  orgTransactions: OrgTransactions,
  /** What sandboxes, checkpoints and images of an org may take on the disk. */
  { diskMBPerOrgMax }: { diskMBPerOrgMax: number },
) {
  const one = (orgId: string, name: string) =>
    and(eq(snapshots.orgId, orgId), eq(snapshots.name, name));

  return {
    /**
     * Adds a snapshot that is being built. A failed one of the name is replaced.
     * An image that was in the cache alone counts from now on.
     *
     * @throws {WireError} `name_in_use`, `limit_exceeded`, `limit_reached`
     */
    async begin(orgId: string, name: string, image: ImageManifest): Promise<SnapshotRecord> {
      const manifest = JSON.stringify(image);
      const contentHash = imageContentHash(image);
      try {
        const [row] = await orgTransactions.run(orgId, async (transaction) => {
          await transaction
            .delete(snapshots)
            .where(and(one(orgId, name), eq(snapshots.status, "failed")));
          await assertSnapshotLimits(transaction, orgId, Buffer.byteLength(manifest));
          const inserted = await transaction
            .insert(snapshots)
            .values({ orgId, name, contentHash, manifest, status: "building" })
            .returning();
          await assertDiskBudget(transaction, orgId, diskMBPerOrgMax);
          return inserted;
        });
        return toRecord(row);
      } catch (error) {
        if (!isUniqueViolation(error)) throw error;
        throw new WireError("name_in_use", `A snapshot named ${JSON.stringify(name)} exists`);
      }
    },

    /** Ends the building of a snapshot that still exists. */
    async end(id: string, result: { failure: string | null }): Promise<SnapshotRecord | undefined> {
      const failure = result.failure === null ? null : toStorableText(result.failure);
      const status = failure === null ? "ready" : "failed";
      const [row] = await database
        .update(snapshots)
        .set({ status, failure })
        .where(eq(snapshots.id, id))
        .returning();
      return row === undefined ? undefined : toRecord(row);
    },

    /** Lists the snapshots by name; their manifests are read a part at a time. */
    async list(orgId: string): Promise<SnapshotList> {
      const sizes = await database
        .select({
          id: snapshots.id,
          bytes: sql`octet_length(${snapshots.manifest})`.mapWith(Number),
        })
        .from(snapshots)
        .where(eq(snapshots.orgId, orgId))
        .orderBy(asc(snapshots.name));
      const parts = manifestParts(sizes);
      async function* read(): AsyncGenerator<SnapshotRecord> {
        for (const part of parts) {
          const ids = part.map(({ id }) => id);
          const rows = await database
            .select()
            .from(snapshots)
            .where(and(eq(snapshots.orgId, orgId), inArray(snapshots.id, ids)))
            .orderBy(asc(snapshots.name));
          for (const row of rows) yield toRecord(row);
        }
      }
      return { records: read(), heldBytesMax: largestPartBytes(parts) };
    },

    async find(orgId: string, name: string): Promise<SnapshotRecord | undefined> {
      if (!isName(name)) return undefined;
      const [row] = await database.select().from(snapshots).where(one(orgId, name));
      return row === undefined ? undefined : toRecord(row);
    },

    async touch(orgId: string, name: string): Promise<void> {
      await database.update(snapshots).set({ lastUsedAt: new Date() }).where(one(orgId, name));
    },

    /** Returns undefined when there is none. */
    async delete(orgId: string, name: string): Promise<{ id: string } | undefined> {
      if (!isName(name)) return undefined;
      const [row] = await database
        .delete(snapshots)
        .where(one(orgId, name))
        .returning({ id: snapshots.id });
      return row;
    },

    async deleteById(id: string): Promise<void> {
      await database.delete(snapshots).where(eq(snapshots.id, id));
    },

    /** Marks those that an earlier process was building as failed, in all orgs. */
    async failInterrupted(): Promise<void> {
      const failure = "The service was stopped during the build: create the snapshot again";
      await database
        .update(snapshots)
        .set({ status: "failed", failure })
        .where(eq(snapshots.status, "building"));
    },
  };
}
export type SnapshotRepository = ReturnType<typeof createSnapshotRepository>;

async function assertSnapshotLimits(
  transaction: Database,
  orgId: string,
  manifestBytes: number,
): Promise<void> {
  const ofOrg = eq(snapshots.orgId, orgId);
  if ((await transaction.$count(snapshots, ofOrg)) >= limits.snapshotsPerOrgMax) {
    throw new WireError(
      "limit_exceeded",
      `Snapshot limit reached: this org has ${limits.snapshotsPerOrgMax} snapshots, the maximum. Delete one first`,
      { remediation: "oc snapshot delete <name>" },
    );
  }
  const [total] = await transaction
    .select({ bytes: sum(sql`octet_length(${snapshots.manifest})`) })
    .from(snapshots)
    .where(ofOrg);
  const bytes = Number(total?.bytes ?? 0) + manifestBytes;
  if (bytes <= limits.snapshotManifestsBytesPerOrgMax) return;
  throw new WireError(
    "limit_exceeded",
    `Snapshot limit reached: the manifests of an org's snapshots, with their files, have at most ${limits.snapshotManifestsBytesPerOrgMax} bytes, and with this one they would have ${bytes}. Delete a snapshot first, or fetch large files in a run step`,
    { remediation: "oc snapshot delete <name>" },
  );
}

/** What cannot be a name names no snapshot, and PostgreSQL refuses NUL. */
function isName(text: string): boolean {
  return createSnapshotRequestSchema.shape.name.safeParse(text).success;
}

function toRecord(row: typeof snapshots.$inferSelect | undefined): SnapshotRecord {
  if (row === undefined) throw new Error("An insert into snapshots returned no row");
  const { id, orgId, name, contentHash, status, failure } = row;
  return {
    ...{ id, orgId, name, contentHash, status },
    manifest: imageManifestSchema.parse(JSON.parse(row.manifest)),
    createdAt: row.createdAt.toISOString(),
    lastUsedAt: row.lastUsedAt?.toISOString() ?? null,
    ...(failure === null ? {} : { failure }),
  };
}
