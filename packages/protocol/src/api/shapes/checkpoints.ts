import { z } from "zod";
import { limits } from "../limits.ts";
import { environmentSchema } from "../rules/environment.ts";
import { timestampSchema, uuidSchema } from "../rules/identifiers.ts";
import { chosenMemoryMBSchema } from "../rules/sandbox-size.ts";
import { byteLength, storableTextPattern } from "../rules/text.ts";
import { sessionIdSchema } from "./command-sessions.ts";
import { idleRuleSchema, idleTimeoutSchema, metadataSchema } from "./sandboxes.ts";

/** `full` has memory and disk; `disk_only` has the disk, from which a fork boots. */
export const checkpointKindSchema = z.enum(["full", "disk_only"]);
export type CheckpointKind = z.infer<typeof checkpointKindSchema>;

/** `ready` can be forked; `failed` has the reason in `failure`. */
export const checkpointStatusSchema = z.enum(["processing", "ready", "failed"]);
export type CheckpointStatus = z.infer<typeof checkpointStatusSchema>;

/**
 * What happens at the limit of checkpoints of one sandbox and kind: `none`
 * refuses the new one, `delete_oldest` makes room. `maxCount` lowers the limit
 * for this call.
 */
export const retentionPolicySchema = z.object({
  mode: z.enum(["none", "delete_oldest"]),
  maxCount: z.int().min(1).max(limits.diskOnlyCheckpointsPerSandboxMax).nullish(),
});
export type RetentionPolicy = z.infer<typeof retentionPolicySchema>;

/** Body of `POST /sandboxes/:id/checkpoints`. `kind` is `full` by default. */
export const createCheckpointRequestSchema = z.object({
  name: z
    .string()
    .min(1, "must not be empty")
    .max(limits.objectNameCharactersMax)
    .regex(storableTextPattern, "must be well-formed Unicode without NUL"),
  kind: checkpointKindSchema.nullish(),
  retentionPolicy: retentionPolicySchema.nullish(),
});
export type CreateCheckpointRequest = z.infer<typeof createCheckpointRequestSchema>;

/**
 * A checkpoint as the API returns it. `sandboxConfig` is what a fork starts
 * with. `sizeBytes` is 0 until it is ready. `failure` states why it failed.
 */
export const checkpointRecordSchema = z.object({
  id: uuidSchema,
  sandboxId: z.string(),
  orgId: uuidSchema,
  name: z.string(),
  kind: checkpointKindSchema,
  sandboxConfig: z.object({
    templateID: z.string(),
    cpuCount: z.int(),
    memoryMB: z.int(),
    timeout: z.int(),
    idle: idleRuleSchema,
    secretStore: z.string().optional(),
    baseSecretStore: z.string().optional(),
  }),
  status: checkpointStatusSchema,
  sizeBytes: z.int().min(0),
  isPublic: z.boolean(),
  createdAt: timestampSchema,
  failure: z.string().optional(),
});
export type CheckpointRecord = z.infer<typeof checkpointRecordSchema>;

/** Response of `POST /sandboxes/:id/checkpoints/:cid/restore`. */
export const restoredCheckpointSchema = z.object({
  sandboxId: z.string(),
  checkpointId: uuidSchema,
  status: z.literal("restoring"),
});
export type RestoredCheckpoint = z.infer<typeof restoredCheckpointSchema>;

/**
 * Body of `POST /sandboxes/from-checkpoint/:cid`. Absent fields have
 * the parent's values; `envs` are added to the parent's; the secrets of
 * `secretStore` are added to the parent's and override them; `memoryMB` 0 means
 * not chosen. The commands of the sessions `restartSessions` are killed before
 * anything of the fork runs, and started again.
 */
export const forkRequestSchema = z.object({
  timeout: idleTimeoutSchema.nullish(),
  idle: idleRuleSchema.nullish(),
  envs: environmentSchema.nullish(),
  metadata: metadataSchema.nullish(),
  secretStore: z.string().max(limits.objectNameCharactersMax).nullish(),
  memoryMB: chosenMemoryMBSchema.nullish(),
  restartSessions: z.array(sessionIdSchema).max(limits.restartedSessionsMax).nullish(),
});
export type ForkRequest = z.infer<typeof forkRequestSchema>;

/** Body of `POST /sandboxes/checkpoints/:cid/patches`. */
export const createPatchRequestSchema = z.object({
  script: z
    .string()
    .refine((text) => text.trim() !== "", { error: "must not be empty" })
    .refine((text) => byteLength(text) <= limits.commandBytesMax, {
      error: `must be at most ${limits.commandBytesMax} bytes`,
    })
    .refine((text) => !text.includes("\0"), { error: "must not contain NUL" }),
  description: z
    .string()
    .max(limits.metadataCharactersMax)
    .regex(storableTextPattern, "must be well-formed Unicode without NUL")
    .nullish(),
});
export type CreatePatchRequest = z.infer<typeof createPatchRequestSchema>;

/** A script that every later fork of a checkpoint runs, in the order of `sequence`. */
export const patchRecordSchema = z.object({
  id: uuidSchema,
  checkpointId: uuidSchema,
  sequence: z.int().min(1),
  script: z.string(),
  description: z.string(),
  strategy: z.literal("on_wake"),
  createdAt: timestampSchema,
});
export type PatchRecord = z.infer<typeof patchRecordSchema>;
export const createdPatchSchema = z.object({ patch: patchRecordSchema });
