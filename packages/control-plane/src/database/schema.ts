import {
  defaultPlacements,
  type EgressExchange,
  type EgressProtocol,
  type EgressSecrets,
  type EventType,
} from "@opencomputer/protocol/api";
import type { SandboxScaling } from "@opencomputer/protocol/wire";
import {
  bigint,
  boolean,
  check,
  customType,
  doublePrecision,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  timestamp,
  uniqueIndex,
  uuid,
} from "drizzle-orm/pg-core";
import { sql } from "./query-builder.ts";

/**
 * Every table. The only columns that hold anything confidential are those named
 * `encrypted…`, each beside the version of the key that its value is encrypted with.
 */

const time = (name: string) => timestamp(name, { withTimezone: true, mode: "date", precision: 3 });
const createdAt = () => time("created_at").notNull().defaultNow();
const updatedAt = () => time("updated_at").notNull().defaultNow();

/** One row: what belongs to the installation as a whole. */
export const installations = pgTable(
  "installations",
  {
    singleton: integer("singleton").primaryKey().default(1),
    /** 8 hexadecimal digits, which people distinguish installations by. */
    shortId: text("short_id").notNull(),
    /** A known text, encrypted: decrypting it at start proves that the key is the right one. */
    encryptedCheck: text("check_sealed").notNull(),
    checkKeyVersion: text("check_key_version").notNull(),
    caCertificatePem: text("ca_certificate_pem").notNull(),
    encryptedCaKey: text("ca_key_sealed").notNull(),
    caKeyVersion: text("ca_key_version").notNull(),
    /** What tokens and signatures are derived from: it outlives the encryption key. Null until it is made. */
    encryptedSigningKey: text("signing_key_sealed"),
    signingKeyVersion: text("signing_key_version"),
    createdAt: createdAt(),
  },
  (table) => [check("installations_singleton", sql`${table.singleton} = 1`)],
);

export const orgs = pgTable("orgs", {
  id: uuid("id").primaryKey().defaultRandom(),
  name: text("name").notNull().unique(),
  createdAt: createdAt(),
});

const orgId = () =>
  uuid("org_id")
    .notNull()
    .references(() => orgs.id, { onDelete: "cascade" });

/** `kind` is `preset` (from the environment), `initial` (made at first start) or `created`. */
export const apiKeys = pgTable(
  "api_keys",
  {
    id: uuid("id").primaryKey().defaultRandom(),
    orgId: orgId(),
    kind: text("kind", { enum: ["preset", "initial", "created"] }).notNull(),
    name: text("name").notNull().default(""),
    /** The beginning of the key, for people; empty when it was not kept. */
    prefix: text("prefix").notNull().default(""),
    /** SHA-256 of the key, hexadecimal. The key itself is nowhere. */
    sha256: text("sha256").notNull().unique(),
    createdAt: createdAt(),
    lastUsedAt: time("last_used_at"),
    /** The initial key keeps its row, or the next start would take it from its file again. */
    revokedAt: time("revoked_at"),
  },
  (table) => [index("api_keys_org").on(table.orgId)],
);

/** Browsers that have signed in to the dashboard. A session ends with its key. */
export const dashboardSessions = pgTable(
  "dashboard_sessions",
  {
    /** SHA-256 of the cookie's value, hexadecimal. The value itself is nowhere. */
    sha256: text("sha256").primaryKey(),
    apiKeyId: uuid("api_key_id")
      .notNull()
      .references(() => apiKeys.id, { onDelete: "cascade" }),
    createdAt: createdAt(),
    expiresAt: time("expires_at").notNull(),
  },
  (table) => [
    index("dashboard_sessions_key").on(table.apiKeyId),
    index("dashboard_sessions_expiry").on(table.expiresAt),
  ],
);

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
const secretKind = () =>
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

/**
 * `hibernating`, `waking` and `restoring` are held while the worker acts, and
 * are resolved by what the worker has when nobody is acting any more.
 */
export const sandboxStates = [
  "creating",
  "running",
  "hibernating",
  "hibernated",
  "waking",
  "restoring",
  "killing",
  "stopped",
] as const;

/** The configuration of a sandbox, which a checkpoint keeps for its forks; each table adds `envs`. */
const sandboxConfigColumns = () => ({
  templateId: text("template_id").notNull(),
  cpuCount: integer("cpu_count").notNull(),
  memoryMB: integer("memory_mb").notNull(),
  /** Null for the size of the image. */
  diskMB: integer("disk_mb"),
  /** How it may change its size; null when it was never scaled. */
  scaling: jsonb("scaling").$type<SandboxScaling>(),
  /** 0 means never. */
  idleTimeoutSeconds: integer("idle_timeout_seconds").notNull(),
  /** What counts as use beside requests. */
  idle: text("idle", { enum: ["requests", "cpu"] })
    .notNull()
    .default("requests"),
  metadata: jsonb("metadata").$type<Record<string, string>>().notNull(),
  /** Where commands run that name no directory; null for the home directory. */
  workingDirectory: text("working_directory"),
  /** Names of project and stores are those at the time of the create: a sandbox outlives all three. */
  projectName: text("project_name"),
  secretStoreName: text("secret_store_name"),
  baseSecretStoreName: text("base_secret_store_name"),
  /** The stores of those names, which may have been renamed or deleted since. Deliberately no foreign keys. */
  secretStoreId: uuid("secret_store_id"),
  baseSecretStoreId: uuid("base_secret_store_id"),
  egressMode: text("egress_mode", { enum: ["open", "intercepted", "allowlisted"] }).notNull(),
  egressAllowlist: jsonb("egress_allowlist").$type<string[]>().notNull(),
});

export const sandboxes = pgTable(
  "sandboxes",
  {
    id: text("id").primaryKey(),
    orgId: orgId(),
    state: text("state", { enum: sandboxStates }).notNull(),
    /** A builder of an image is the service's own: no route of the API shows it. */
    purpose: text("purpose", { enum: ["user", "builder"] })
      .notNull()
      .default("user"),
    ...sandboxConfigColumns(),
    tags: jsonb("tags").$type<Record<string, string>>().notNull(),
    /** Null until the tags are set for the first time. */
    tagsUpdatedAt: time("tags_updated_at"),
    envs: jsonb("envs").$type<Record<string, string>>().notNull().default({}),
    /** The checkpoint that it is a fork of, which may be deleted since. */
    fromCheckpointId: uuid("from_checkpoint_id"),
    /** Which patch failed in it, and how. */
    patchError: text("patch_error"),
    /** Patches of its checkpoint that have run in a fork; null where an earlier version made it: none runs. */
    appliedPatchIds: jsonb("applied_patch_ids").$type<string[]>(),
    /** Which of its hooks failed at its last start, and how. */
    hookError: text("hook_error"),
    /** Why its last wake was a boot from its disk. */
    memoryLost: text("memory_lost"),
    /** What it took on the disk when it was hibernated. */
    hibernatedBytes: bigint("hibernated_bytes", { mode: "number" }),
    /** The key that it was made with, which counts its sandboxes. Deliberately no foreign key. */
    apiKeyId: uuid("api_key_id"),
    /** SHA-256 of the token that its previews need, in hexadecimal; null when they need none. */
    previewTokenHash: text("preview_token_hash"),
    /** The address that its packets come from; null while it has no slot. */
    sourceAddress: text("source_address"),
    /** The machine that holds the slot; null while there is none. */
    machineId: uuid("machine_id"),
    /** Counts the hand-overs of its session, so that the proxy can refuse one that is older. */
    sessionVersion: bigint("session_version", { mode: "number" }).notNull().default(0),
    /** The latest revocation that its session has to enforce; null once the proxy has acknowledged it. */
    pendingRevocation: uuid("pending_revocation"),
    /** The transition that may change the state, its control plane, and until when: all null when there is none. */
    transitionId: uuid("transition_id"),
    transitionOwner: text("transition_owner"),
    transitionDeadlineAt: time("transition_deadline_at"),
    startedAt: time("started_at").notNull(),
    lastActiveAt: time("last_active_at").notNull(),
    stoppedAt: time("stopped_at"),
  },
  (table) => [
    index("sandboxes_org").on(table.orgId),
    index("sandboxes_state").on(table.state),
    index("sandboxes_pending_revocation")
      .on(table.pendingRevocation)
      .where(sql`${table.pendingRevocation} is not null`),
  ],
);

/** Resolved when the copy is made or changed, so that the hand-over looks nothing up. */
const placementsOfCopy = () =>
  jsonb("substitute_in")
    .$type<string[]>()
    .notNull()
    .default([...defaultPlacements]);

/** When the copy was revoked: its value is only searched for in responses from then on. */
const revokedAtOfCopy = () => time("revoked_at");

/** Ports of sandboxes that are reached from outside, by host name. */
export const previews = pgTable(
  "previews",
  {
    id: uuid("id").primaryKey().defaultRandom(),
    orgId: orgId(),
    sandboxId: text("sandbox_id")
      .notNull()
      .references(() => sandboxes.id, { onDelete: "cascade" }),
    port: integer("port").notNull(),
    /** The caller's own host name for it, unique in the installation. */
    customHostname: text("custom_hostname").unique(),
    authConfig: jsonb("auth_config").$type<Record<string, unknown>>().notNull(),
    createdAt: createdAt(),
  },
  (table) => [uniqueIndex("previews_sandbox_port").on(table.sandboxId, table.port)],
);

/** Links that open a preview in a browser and were not used yet. */
export const previewLinks = pgTable(
  "preview_links",
  {
    /** SHA-256 of the link's code, in hexadecimal. */
    codeHash: text("code_hash").primaryKey(),
    orgId: orgId(),
    previewId: uuid("preview_id")
      .notNull()
      .references(() => previews.id, { onDelete: "cascade" }),
    expiresAt: time("expires_at").notNull(),
  },
  (table) => [index("preview_links_preview").on(table.previewId)],
);

/**
 * What is kept of a value that its owner cannot use any more: hosts and
 * placements are those that the value had.
 */
const formerSecretColumns = () => ({
  id: uuid("id").primaryKey(),
  orgId: orgId(),
  name: text("name").notNull(),
  kind: secretKind(),
  token: text("token").notNull(),
  encrypted: text("sealed").notNull(),
  keyVersion: text("key_version").notNull(),
  allowedHosts: jsonb("allowed_hosts").$type<string[]>().notNull(),
  substituteIn: jsonb("substitute_in").$type<string[]>().notNull(),
  retiredAt: time("retired_at").notNull(),
});

/** The encrypted copies that a sandbox lives on: independent of the store they came from. */
export const sandboxSecrets = pgTable(
  "sandbox_secrets",
  {
    orgId: orgId(),
    sandboxId: text("sandbox_id")
      .notNull()
      .references(() => sandboxes.id, { onDelete: "cascade" }),
    name: text("name").notNull(),
    kind: secretKind(),
    /** A fork has the tokens of its parent: processes in its memory go on using them. */
    token: text("token").notNull(),
    encrypted: text("sealed").notNull(),
    keyVersion: text("key_version").notNull(),
    allowedHosts: jsonb("allowed_hosts").$type<string[]>().notNull(),
    substituteIn: placementsOfCopy(),
    revokedAt: revokedAtOfCopy(),
    /** Where rotation finds it. Deliberately no foreign key: the store may be deleted. */
    sourceStoreId: uuid("source_store_id").notNull(),
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
    /** Those of the sandbox at the moment of the checkpoint. */
    appliedPatchIds: jsonb("applied_patch_ids").$type<string[]>(),
    createdAt: createdAt(),
  },
  (table) => [
    uniqueIndex("checkpoints_sandbox_name").on(table.orgId, table.sandboxId, table.name),
    index("checkpoints_status").on(table.status),
  ],
);

/** The encrypted copies that forks of a checkpoint inherit, under the tokens in its memory. */
export const checkpointSecrets = pgTable(
  "checkpoint_secrets",
  {
    orgId: orgId(),
    checkpointId: uuid("checkpoint_id")
      .notNull()
      .references(() => checkpoints.id, { onDelete: "cascade" }),
    name: text("name").notNull(),
    kind: secretKind(),
    token: text("token").notNull(),
    encrypted: text("sealed").notNull(),
    keyVersion: text("key_version").notNull(),
    allowedHosts: jsonb("allowed_hosts").$type<string[]>().notNull(),
    substituteIn: placementsOfCopy(),
    revokedAt: revokedAtOfCopy(),
    sourceStoreId: uuid("source_store_id").notNull(),
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

/**
 * Checkpoints, of users and of images, that were deleted, until the worker has
 * deleted their files too. A trigger of the database notes each in the
 * transaction that deletes its row.
 */
export const deletedCheckpoints = pgTable("deleted_checkpoints", {
  id: uuid("id").primaryKey(),
  deletedAt: timestamp("deleted_at", { withTimezone: true }).notNull().defaultNow(),
});

/** The number of a transaction with its epoch: it grows for the life of the server and never wraps. */
const xid8 = customType<{ data: string }>({ dataType: () => "xid8" });

/**
 * What has happened, written in the transaction that makes it true. An event
 * outlives its sandbox: deliberately no foreign key.
 */
export const events = pgTable(
  "events",
  {
    id: uuid("id").primaryKey().defaultRandom(),
    /** Orders the events of one transaction. */
    sequence: bigint("sequence", { mode: "bigint" }).notNull().generatedAlwaysAsIdentity(),
    /** Orders transactions, so that a reader can tell which may still add events. */
    transactionId: xid8("transaction_id").notNull().default(sql`pg_current_xact_id()`),
    /** The short id of the installation. */
    nodeId: text("node_id").notNull(),
    orgId: orgId(),
    sandboxId: text("sandbox_id"),
    type: text("type").$type<EventType>().notNull(),
    data: jsonb("data").$type<Record<string, unknown>>().notNull(),
    time: time("time").notNull().default(sql`clock_timestamp()`),
  },
  (table) => [
    index("events_org").on(table.orgId, table.transactionId, table.sequence),
    index("events_sandbox").on(table.orgId, table.sandboxId, table.transactionId, table.sequence),
    index("events_time").on(table.time),
  ],
);

/**
 * What sandboxes exchanged with the network. An entry outlives its sandbox: deliberately no
 * foreign key. Ids are in the order of commits, because whoever stores entries holds a lock.
 */
export const egressLog = pgTable(
  "egress_log",
  {
    id: bigint("id", { mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    orgId: orgId(),
    sandboxId: text("sandbox_id").notNull(),
    /** The process of the egress proxy that the entry is from. */
    instanceId: uuid("instance_id").notNull(),
    /** The number of the line in that process. */
    sequence: bigint("sequence", { mode: "number" }).notNull(),
    storedAt: time("stored_at").notNull().defaultNow(),
    time: time("time").notNull(),
    protocol: text("protocol").$type<EgressProtocol>().notNull(),
    host: text("host"),
    port: integer("port"),
    decision: text("decision", { enum: ["allowed", "refused"] }).notNull(),
    /** Whether any of it was sent to the host. */
    wasSent: boolean("was_sent").notNull().default(true),
    status: integer("status"),
    leftOut: bigint("left_out", { mode: "number" }).notNull(),
    secrets: jsonb("secrets").$type<EgressSecrets>().notNull(),
    /** What is only shown. */
    shown: jsonb("shown").$type<ShownExchange>().notNull(),
  },
  (table) => [
    uniqueIndex("egress_log_line").on(table.instanceId, table.sequence),
    index("egress_log_sandbox").on(table.sandboxId, table.id),
    index("egress_log_org").on(table.orgId, table.id),
    index("egress_log_stored_at").on(table.storedAt),
  ],
);

export type EgressLogRow = typeof egressLog.$inferSelect;

/** How many entries of the egress log each sandbox has: the log itself takes long to count. */
export const egressLogCounts = pgTable(
  "egress_log_counts",
  {
    sandboxId: text("sandbox_id").primaryKey(),
    orgId: orgId(),
    entries: bigint("entries", { mode: "number" }).notNull(),
  },
  (table) => [index("egress_log_counts_org").on(table.orgId)],
);

type ShownExchange = Pick<
  EgressExchange,
  "method" | "path" | "reason" | "requestBytes" | "responseBytes" | "durationMilliseconds"
>;

/**
 * Where events are sent. One of a sandbox ends with it, after its last delivery:
 * deliberately no foreign key.
 */
export const webhooks = pgTable(
  "webhooks",
  {
    id: uuid("id").primaryKey(),
    orgId: orgId(),
    /** Null for one that gets the events of the whole org. */
    sandboxId: text("sandbox_id"),
    url: text("url").notNull(),
    /** The signing secret. */
    encrypted: text("sealed").notNull(),
    keyVersion: text("key_version").notNull(),
    /** Null for all. */
    eventTypes: jsonb("event_types").$type<EventType[]>(),
    enabled: boolean("enabled").notNull().default(true),
    disabledReason: text("disabled_reason", { enum: ["requested", "gone", "failing"] }),
    /** The first failure since a delivery succeeded. */
    failingSince: time("failing_since"),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (table) => [
    index("webhooks_org").on(table.orgId, table.sandboxId),
    index("webhooks_sandbox").on(table.sandboxId).where(sql`${table.sandboxId} is not null`),
  ],
);

/**
 * Deliveries to webhooks, sent and pending. A row is written with its event; one
 * control plane at a time takes it, by moving `nextAttemptAt`.
 */
export const webhookDeliveries = pgTable(
  "webhook_deliveries",
  {
    id: uuid("id").primaryKey().defaultRandom(),
    webhookId: uuid("webhook_id")
      .notNull()
      .references(() => webhooks.id, { onDelete: "cascade" }),
    eventId: uuid("event_id")
      .notNull()
      .references(() => events.id, { onDelete: "cascade" }),
    state: text("state", { enum: ["pending", "delivered", "failed"] })
      .notNull()
      .default("pending"),
    attempts: integer("attempts").notNull().default(0),
    /** When it is sent, or when the control plane that has taken it is taken for lost. */
    nextAttemptAt: time("next_attempt_at").notNull().defaultNow(),
    lastAttemptAt: time("last_attempt_at"),
    /** Of the last attempt; null when there was none. */
    responseStatus: integer("response_status"),
    error: text("error"),
    createdAt: createdAt(),
  },
  (table) => [
    index("webhook_deliveries_webhook").on(table.webhookId, table.createdAt),
    index("webhook_deliveries_event").on(table.eventId),
    index("webhook_deliveries_due").on(table.nextAttemptAt).where(sql`${table.state} = 'pending'`),
  ],
);

const countOf = (name: string) => bigint(name, { mode: "number" }).notNull();

/**
 * What each machine had taken of its host when it was last read, which the next reading is
 * compared with. The last reading of one that has ended stays as long as it may be read again.
 */
export const machineUsage = pgTable("machine_usage", {
  machineId: uuid("machine_id").primaryKey(),
  orgId: orgId(),
  sandboxId: text("sandbox_id").notNull(),
  startedAt: time("started_at").notNull(),
  readAt: time("read_at").notNull(),
  hasEnded: boolean("has_ended").notNull(),
  /** Of one CPU, between the last two readings. */
  cpuPercent: doublePrecision("cpu_percent").notNull(),
  cpuMilliseconds: countOf("cpu_milliseconds"),
  memoryBytes: countOf("memory_bytes"),
  diskBytes: countOf("disk_bytes"),
  networkReceivedBytes: countOf("network_received_bytes"),
  networkSentBytes: countOf("network_sent_bytes"),
});

/** The usage of a sandbox in an hour, later in a day of UTC. It outlives its sandbox: deliberately no foreign key. */
export const usageBuckets = pgTable(
  "usage_buckets",
  {
    orgId: orgId(),
    sandboxId: text("sandbox_id").notNull(),
    span: text("span", { enum: ["hour", "day"] }).notNull(),
    startsAt: time("starts_at").notNull(),
    runningMilliseconds: countOf("running_milliseconds"),
    cpuMilliseconds: countOf("cpu_milliseconds"),
    memoryMBSeconds: countOf("memory_mb_seconds"),
    memoryPeakBytes: countOf("memory_peak_bytes"),
    diskPeakBytes: countOf("disk_peak_bytes"),
    networkReceivedBytes: countOf("network_received_bytes"),
    networkSentBytes: countOf("network_sent_bytes"),
  },
  (table) => [
    primaryKey({ columns: [table.sandboxId, table.span, table.startsAt] }),
    index("usage_buckets_org").on(table.orgId, table.startsAt),
    index("usage_buckets_span").on(table.span, table.startsAt),
  ],
);

/** The tags that sandboxes with usage had when it was read, for those whose row was deleted. */
export const usageSandboxes = pgTable("usage_sandboxes", {
  sandboxId: text("sandbox_id").primaryKey(),
  orgId: orgId(),
  tags: jsonb("tags").$type<Record<string, string>>().notNull(),
});

/** Which events followed from the egress log of a sandbox, and what occurred since. */
export const egressEventCounts = pgTable(
  "egress_event_counts",
  {
    orgId: orgId(),
    sandboxId: text("sandbox_id")
      .notNull()
      .references(() => sandboxes.id, { onDelete: "cascade" }),
    type: text("type").$type<EgressEventType>().notNull(),
    /** What tells events of the type apart: a secret, a host, a port. */
    subject: text("subject").notNull(),
    /** The event's data without its count. */
    data: jsonb("data").$type<Record<string, unknown>>().notNull(),
    /** How often it occurred since the last event. */
    count: bigint("count", { mode: "number" }).notNull(),
    /** When the last event was recorded; null before the first. */
    reportedAt: time("reported_at"),
  },
  (table) => [
    primaryKey({ columns: [table.sandboxId, table.type, table.subject] }),
    index("egress_event_counts_pending").on(table.reportedAt).where(sql`${table.count} > 0`),
  ],
);

/** The types of events that follow from the egress log. */
export type EgressEventType = Extract<EventType, `secret.${string}` | "egress.refused">;
