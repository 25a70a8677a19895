import type { SandboxScaling } from "@opencomputer/protocol/wire";
import { sql } from "../query-builder.ts";
import { bigint, index, integer, jsonb, pgSequence, pgTable, text, time, uuid } from "./columns.ts";
import { orgId } from "./orgs.ts";

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
export const sandboxConfigColumns = () => ({
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

/** Orders the hand-overs of all sandboxes, because one takes over the address that another had. */
export const sessionVersions = pgSequence("session_versions");

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
    /** The version of its last hand-over, by which the proxy refuses one that is older. */
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
