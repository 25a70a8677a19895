import { eventText, sandboxIdPattern, toStorableText } from "@opencomputer/protocol/api";
import type { Database } from "../database/database.ts";
import { asUuid } from "../database/database.ts";
import { and, asc, eq } from "../database/query-builder.ts";
import { checkpointSecrets, checkpoints, deletedCheckpoints } from "../database/schema.ts";
import { recordEvent } from "../events/record-event.ts";

export type CheckpointRow = typeof checkpoints.$inferSelect;
export type NewCheckpointRow = typeof checkpoints.$inferInsert;
export type CheckpointSecretRow = typeof checkpointSecrets.$inferSelect;

/** The columns of a list. A row's variables and allowlist may have a megabyte, and no list returns them. */
const listedColumns = {
  id: checkpoints.id,
  orgId: checkpoints.orgId,
  sandboxId: checkpoints.sandboxId,
  name: checkpoints.name,
  kind: checkpoints.kind,
  status: checkpoints.status,
  failure: checkpoints.failure,
  sizeBytes: checkpoints.sizeBytes,
  createdAt: checkpoints.createdAt,
  templateId: checkpoints.templateId,
  cpuCount: checkpoints.cpuCount,
  memoryMB: checkpoints.memoryMB,
  idleTimeoutSeconds: checkpoints.idleTimeoutSeconds,
  idle: checkpoints.idle,
  secretStoreName: checkpoints.secretStoreName,
  baseSecretStoreName: checkpoints.baseSecretStoreName,
};

/** A checkpoint as a list has it. */
export type ListedCheckpointRow = Pick<CheckpointRow, keyof typeof listedColumns>;

/** Stores checkpoints by org. */
export function createCheckpointRepository(database: Database) {
  const ofSandbox = (orgId: string, sandboxId: string) =>
    and(eq(checkpoints.orgId, orgId), eq(checkpoints.sandboxId, sandboxId));

  return {
    async insert(
      transaction: Database,
      row: NewCheckpointRow,
      secrets: CheckpointSecretRow[],
    ): Promise<void> {
      await transaction.insert(checkpoints).values(row);
      if (secrets.length > 0) await transaction.insert(checkpointSecrets).values(secrets);
    },

    async find(
      orgId: string,
      checkpointId: string,
      transaction: Database = database,
    ): Promise<CheckpointRow | undefined> {
      const id = asUuid(checkpointId);
      if (id === undefined) return undefined;
      const [row] = await transaction
        .select()
        .from(checkpoints)
        .where(and(eq(checkpoints.orgId, orgId), eq(checkpoints.id, id)));
      return row;
    },

    async count(transaction: Database, orgId: string): Promise<number> {
      return transaction.$count(checkpoints, eq(checkpoints.orgId, orgId));
    },

    /** Lists those of one sandbox, the oldest first; also of one that was removed. */
    async list(
      orgId: string,
      sandboxId: string,
      transaction: Database = database,
    ): Promise<ListedCheckpointRow[]> {
      if (!sandboxIdPattern.test(sandboxId)) return [];
      return transaction
        .select(listedColumns)
        .from(checkpoints)
        .where(ofSandbox(orgId, sandboxId))
        .orderBy(asc(checkpoints.createdAt), asc(checkpoints.id));
    },

    async delete(
      orgId: string,
      checkpointId: string,
      transaction: Database = database,
    ): Promise<void> {
      await transaction
        .delete(checkpoints)
        .where(and(eq(checkpoints.orgId, orgId), eq(checkpoints.id, checkpointId)));
    },
  };
}
export type CheckpointRepository = ReturnType<typeof createCheckpointRepository>;

/** Reads and changes checkpoints across orgs, for maintenance. No request of a caller reaches it. */
export function createCheckpointMaintenanceRepository(database: Database) {
  return {
    async listIds(): Promise<string[]> {
      const rows = await database.select({ id: checkpoints.id }).from(checkpoints);
      return rows.map(({ id }) => id);
    },

    /** Lists those that were deleted, and whose files the worker may still have. */
    async listDeleted(): Promise<{ id: string; deletedAt: Date }[]> {
      return database.select().from(deletedCheckpoints);
    },

    async removeTombstone(checkpointId: string): Promise<void> {
      await database.delete(deletedCheckpoints).where(eq(deletedCheckpoints.id, checkpointId));
    },

    async listProcessing(): Promise<string[]> {
      const rows = await database
        .select({ id: checkpoints.id })
        .from(checkpoints)
        .where(eq(checkpoints.status, "processing"));
      return rows.map(({ id }) => id);
    },

    /** Ends the processing of a checkpoint, and records that; returns whether it exists and was processing. */
    async finish(
      checkpointId: string,
      outcome:
        | { status: "ready"; sizeBytes: number; memoryMB?: number | undefined }
        | { status: "failed"; failure: string },
    ): Promise<boolean> {
      return database.transaction(async (transaction) => {
        const [row] = await transaction
          .update(checkpoints)
          .set(
            outcome.status === "ready"
              ? outcome
              : { ...outcome, failure: toStorableText(outcome.failure) },
          )
          .where(and(eq(checkpoints.id, checkpointId), eq(checkpoints.status, "processing")))
          .returning();
        if (row === undefined) return false;
        const { orgId, sandboxId, name, kind, sizeBytes } = row;
        await recordEvent(transaction, {
          ...{ orgId, sandboxId },
          ...(outcome.status === "ready"
            ? { type: "checkpoint.ready", data: { checkpointId, name, kind, sizeBytes } }
            : {
                type: "checkpoint.failed",
                data: { checkpointId, name, kind, failure: eventText(outcome.failure) },
              }),
        });
        return true;
      });
    },
  };
}
export type CheckpointMaintenanceRepository = ReturnType<
  typeof createCheckpointMaintenanceRepository
>;
