import { sql } from "../query-builder.ts";
import {
  createdAt,
  integer,
  jsonb,
  pgTable,
  text,
  time,
  uniqueIndex,
  updatedAt,
  uuid,
} from "./columns.ts";
import { orgId } from "./orgs.ts";

/** `template`, `cpuCount`, `memoryMB` and `timeoutSec` are empty or 0 when the platform's value applies. */
export const projects = pgTable(
  "projects",
  {
    id: uuid("id").primaryKey().defaultRandom(),
    orgId: orgId(),
    name: text("name").notNull(),
    template: text("template").notNull(),
    cpuCount: integer("cpu_count").notNull(),
    memoryMB: integer("memory_mb").notNull(),
    timeoutSec: integer("timeout_sec").notNull(),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (table) => [uniqueIndex("projects_org_name").on(table.orgId, table.name)],
);

/** What a secret is, and so what its value is: that of kind `aws` is JSON. */
export const secretKind = () =>
  text("kind", { enum: ["value", "aws"] })
    .notNull()
    .default("value");

/** A store that a project owns has its `projectId` and is reached only through the project. */
export const secretStores = pgTable(
  "secret_stores",
  {
    id: uuid("id").primaryKey().defaultRandom(),
    orgId: orgId(),
    projectId: uuid("project_id")
      .unique()
      .references(() => projects.id, { onDelete: "cascade" }),
    name: text("name").notNull(),
    egressAllowlist: jsonb("egress_allowlist").$type<string[]>().notNull(),
    /** Placements of its secrets that name none; null for the operator's. */
    substituteIn: jsonb("substitute_in").$type<string[]>(),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (table) => [
    uniqueIndex("secret_stores_org_name")
      .on(table.orgId, table.name)
      .where(sql`${table.projectId} is null`),
  ],
);

export const storeSecrets = pgTable(
  "store_secrets",
  {
    id: uuid("id").primaryKey().defaultRandom(),
    orgId: orgId(),
    storeId: uuid("store_id")
      .notNull()
      .references(() => secretStores.id, { onDelete: "cascade" }),
    name: text("name").notNull(),
    kind: secretKind(),
    encrypted: text("sealed").notNull(),
    keyVersion: text("key_version").notNull(),
    allowedHosts: jsonb("allowed_hosts").$type<string[]>().notNull(),
    /** Null when the secret names no placements: its store's apply, or the operator's. */
    substituteIn: jsonb("substitute_in").$type<string[]>(),
    /** Set until the secret is set again; `encrypted` then holds an empty text. */
    revokedAt: time("revoked_at"),
    /** When a request with its value was last sent, to a minute; null when none was. */
    lastUsedAt: time("last_used_at"),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (table) => [uniqueIndex("store_secrets_store_name").on(table.storeId, table.name)],
);
