import {
  bigint,
  createdAt,
  index,
  integer,
  jsonb,
  pgTable,
  text,
  timestamp,
  uniqueIndex,
  uuid,
} from "./columns.ts";
import { orgId } from "./orgs.ts";
import { sandboxConfigColumns } from "./sandboxes.ts";

/**
 * Checkpoints, each with what a fork starts with. One outlives its sandbox:
 * deliberately no foreign key.
 */
export const checkpoints = pgTable(
  "checkpoints",
  {
    id: uuid("id").primaryKey(),
    orgId: orgId(),
    sandboxId: text("sandbox_id").notNull(),
    name: text("name").notNull(),
    kind: text("kind", { enum: ["full", "disk_only"] }).notNull(),
    status: text("status", { enum: ["processing", "ready", "failed"] }).notNull(),
    failure: text("failure"),
    sizeBytes: bigint("size_bytes", { mode: "number" }).notNull().default(0),
    ...sandboxConfigColumns(),
    envs: jsonb("envs").$type<Record<string, string>>().notNull(),
    /** Patches that the sandbox had run at the moment of the checkpoint. */
    appliedPatchIds: jsonb("applied_patch_ids").$type<string[]>(),
    createdAt: createdAt(),
  },
  (table) => [
    uniqueIndex("checkpoints_sandbox_name").on(table.orgId, table.sandboxId, table.name),
    index("checkpoints_status").on(table.status),
  ],
);

/** Scripts that the forks of a checkpoint run, in the order of `sequence`. */
export const checkpointPatches = pgTable(
  "checkpoint_patches",
  {
    id: uuid("id").primaryKey().defaultRandom(),
    orgId: orgId(),
    checkpointId: uuid("checkpoint_id")
      .notNull()
      .references(() => checkpoints.id, { onDelete: "cascade" }),
    sequence: integer("sequence").notNull(),
    script: text("script").notNull(),
    description: text("description").notNull(),
    createdAt: createdAt(),
  },
  (table) => [uniqueIndex("checkpoint_patches_sequence").on(table.checkpointId, table.sequence)],
);

/**
 * Checkpoints, of users and of images, that were deleted, until the worker has
 * deleted their files too. A trigger of the database notes each in the
 * transaction that deletes its row.
 */
export const deletedCheckpoints = pgTable("deleted_checkpoints", {
  id: uuid("id").primaryKey(),
  deletedAt: timestamp("deleted_at", { withTimezone: true }).notNull().defaultNow(),
});
