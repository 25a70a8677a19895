import {
  bigint,
  createdAt,
  index,
  jsonb,
  pgTable,
  text,
  time,
  uniqueIndex,
  uuid,
} from "./columns.ts";
import { orgId } from "./orgs.ts";

/**
 * What images of an org are there or being built, by what they are made of.
 * The worker keeps each as a checkpoint.
 */
export const images = pgTable(
  "images",
  {
    id: uuid("id").primaryKey().defaultRandom(),
    orgId: orgId(),
    contentHash: text("content_hash").notNull(),
    checkpointId: uuid("checkpoint_id").notNull().unique(),
    state: text("state", { enum: ["building", "ready"] }).notNull(),
    /** What every command of a sandbox finds; the lowest layer of its environment. */
    envs: jsonb("envs").$type<Record<string, string>>().notNull(),
    workingDirectory: text("working_directory"),
    sizeBytes: bigint("size_bytes", { mode: "number" }).notNull(),
    createdAt: createdAt(),
    lastUsedAt: time("last_used_at").notNull().defaultNow(),
  },
  (table) => [uniqueIndex("images_org_content").on(table.orgId, table.contentHash)],
);

/** A name for an image. It has the manifest, so the image can be built again when it is lost. */
export const snapshots = pgTable(
  "snapshots",
  {
    id: uuid("id").primaryKey().defaultRandom(),
    orgId: orgId(),
    name: text("name").notNull(),
    contentHash: text("content_hash").notNull(),
    /** JSON as text: the cache key follows from the order of its fields. */
    manifest: text("manifest").notNull(),
    status: text("status", { enum: ["building", "ready", "failed"] }).notNull(),
    failure: text("failure"),
    createdAt: createdAt(),
    lastUsedAt: time("last_used_at"),
  },
  (table) => [
    uniqueIndex("snapshots_org_name").on(table.orgId, table.name),
    index("snapshots_org_content").on(table.orgId, table.contentHash),
  ],
);
