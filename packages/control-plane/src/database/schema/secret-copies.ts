import { defaultPlacements } from "@opencomputer/protocol/api";
import { checkpoints } from "./checkpoints.ts";
import { index, jsonb, pgTable, primaryKey, text, time, uniqueIndex, uuid } from "./columns.ts";
import { orgId } from "./orgs.ts";
import { sandboxes } from "./sandboxes.ts";
import { secretKind } from "./secret-stores.ts";

/** An encrypted value with its token and the hosts that it is for. */
const encryptedColumns = () => ({
  orgId: orgId(),
  name: text("name").notNull(),
  kind: secretKind(),
  token: text("token").notNull(),
  encrypted: text("sealed").notNull(),
  keyVersion: text("key_version").notNull(),
  allowedHosts: jsonb("allowed_hosts").$type<string[]>().notNull(),
});

/** An encrypted copy of a store's secret. */
const secretCopyColumns = () => ({
  ...encryptedColumns(),
  /** Resolved when the copy is made or changed, so that the hand-over looks nothing up. */
  substituteIn: jsonb("substitute_in")
    .$type<string[]>()
    .notNull()
    .default([...defaultPlacements]),
  /** When the copy was revoked: its value is only searched for in responses from then on. */
  revokedAt: time("revoked_at"),
  /** Where rotation finds it. Deliberately no foreign key: the store may be deleted. */
  sourceStoreId: uuid("source_store_id").notNull(),
});

/**
 * What is kept of a value that its owner can no longer use: hosts and
 * placements are those that the value had.
 */
const formerSecretColumns = () => ({
  ...encryptedColumns(),
  id: uuid("id").primaryKey(),
  substituteIn: jsonb("substitute_in").$type<string[]>().notNull(),
  retiredAt: time("retired_at").notNull(),
});

/**
 * The encrypted copies that a sandbox lives on: independent of the store they came from. A
 * fork has the tokens of its parent: processes in its memory continue to use them.
 */
export const sandboxSecrets = pgTable(
  "sandbox_secrets",
  {
    ...secretCopyColumns(),
    sandboxId: text("sandbox_id")
      .notNull()
      .references(() => sandboxes.id, { onDelete: "cascade" }),
  },
  (table) => [
    primaryKey({ columns: [table.sandboxId, table.name] }),
    uniqueIndex("sandbox_secrets_sandbox_token").on(table.sandboxId, table.token),
    index("sandbox_secrets_source").on(table.sourceStoreId, table.name),
  ],
);

/** Values that a sandbox, its ancestors or its earlier sessions could use. */
export const sandboxFormerSecrets = pgTable(
  "sandbox_former_secrets",
  {
    ...formerSecretColumns(),
    ownerId: text("sandbox_id")
      .notNull()
      .references(() => sandboxes.id, { onDelete: "cascade" }),
  },
  (table) => [
    index("sandbox_former_secrets_owner").on(table.ownerId, table.name),
    index("sandbox_former_secrets_retired").on(table.retiredAt),
  ],
);

/** The encrypted copies that forks of a checkpoint inherit, under the tokens in its memory. */
export const checkpointSecrets = pgTable(
  "checkpoint_secrets",
  {
    ...secretCopyColumns(),
    checkpointId: uuid("checkpoint_id")
      .notNull()
      .references(() => checkpoints.id, { onDelete: "cascade" }),
  },
  (table) => [
    primaryKey({ columns: [table.checkpointId, table.name] }),
    index("checkpoint_secrets_source").on(table.sourceStoreId, table.name),
  ],
);

/** Values that forks of a checkpoint may meet in responses and cannot use. */
export const checkpointFormerSecrets = pgTable(
  "checkpoint_former_secrets",
  {
    ...formerSecretColumns(),
    ownerId: uuid("checkpoint_id")
      .notNull()
      .references(() => checkpoints.id, { onDelete: "cascade" }),
  },
  (table) => [
    index("checkpoint_former_secrets_owner").on(table.ownerId, table.name),
    index("checkpoint_former_secrets_retired").on(table.retiredAt),
  ],
);
