import {
  type CreatePatchRequest,
  limits,
  type PatchRecord,
  WireError,
} from "@opencomputer/protocol/api";
import type { Database } from "../database/database.ts";
import { asUuid } from "../database/database.ts";
import { and, asc, count, eq, max } from "../database/query-builder.ts";
import { checkpointPatches, checkpoints } from "../database/schema.ts";

type PatchRow = typeof checkpointPatches.$inferSelect;

/** The patches of one checkpoint, which the caller has found by its org. */
export function createPatchRepository(database: Database) {
  const ofCheckpoint = (orgId: string, checkpointId: string) =>
    and(eq(checkpointPatches.orgId, orgId), eq(checkpointPatches.checkpointId, checkpointId));

  return {
    /** @throws {WireError} `limit_exceeded`, `checkpoint_not_found` */
    async create(
      orgId: string,
      checkpointId: string,
      { script, description }: CreatePatchRequest,
    ): Promise<PatchRecord> {
      return database.transaction(async (transaction) => {
        await lockCheckpoint(transaction, orgId, checkpointId);
        const [existing] = await transaction
          .select({ patches: count(), sequence: max(checkpointPatches.sequence) })
          .from(checkpointPatches)
          .where(ofCheckpoint(orgId, checkpointId));
        if ((existing?.patches ?? 0) >= limits.patchesPerCheckpointMax) {
          throw new WireError(
            "limit_exceeded",
            `Patch limit reached: this checkpoint has ${limits.patchesPerCheckpointMax} patches, the maximum. Delete one first`,
            { remediation: "oc patch delete <checkpoint-id> <patch-id>" },
          );
        }
        const [row] = await transaction
          .insert(checkpointPatches)
          .values({
            orgId,
            checkpointId,
            sequence: (existing?.sequence ?? 0) + 1,
            script,
            description: description ?? "",
          })
          .returning();
        if (row === undefined) throw new Error("An insert into checkpoint_patches returned no row");
        return toRecord(row);
      });
    },

    async list(orgId: string, checkpointId: string): Promise<PatchRecord[]> {
      const rows = await database
        .select()
        .from(checkpointPatches)
        .where(ofCheckpoint(orgId, checkpointId))
        .orderBy(asc(checkpointPatches.sequence));
      return rows.map(toRecord);
    },

    /** @throws {WireError} `patch_not_found` */
    async delete(orgId: string, checkpointId: string, patchId: string): Promise<void> {
      const id = asUuid(patchId);
      const rows =
        id === undefined
          ? []
          : await database
              .delete(checkpointPatches)
              .where(and(ofCheckpoint(orgId, checkpointId), eq(checkpointPatches.id, id)))
              .returning({ id: checkpointPatches.id });
      if (rows.length === 0) {
        throw new WireError("patch_not_found", `patch not found: ${patchId}`);
      }
    },
  };
}
export type PatchRepository = ReturnType<typeof createPatchRepository>;

/** Patches of one checkpoint are added one after the other, so that each has another sequence. */
async function lockCheckpoint(transaction: Database, orgId: string, id: string): Promise<void> {
  const rows = await transaction
    .select({ id: checkpoints.id })
    .from(checkpoints)
    .where(and(eq(checkpoints.orgId, orgId), eq(checkpoints.id, id)))
    .for("update");
  if (rows.length === 0) {
    throw new WireError("checkpoint_not_found", `checkpoint not found: ${id}`);
  }
}

function toRecord(row: PatchRow): PatchRecord {
  const { id, checkpointId, sequence, script, description, createdAt } = row;
  return {
    id,
    checkpointId,
    sequence,
    script,
    description,
    strategy: "on_wake",
    createdAt: createdAt.toISOString(),
  };
}
