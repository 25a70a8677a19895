import { z } from "zod";
import { limits } from "../limits.ts";
import { environmentSchema } from "../rules/environment.ts";
import { timestampSchema } from "../rules/identifiers.ts";
import { chosenCpuCountSchema, chosenMemoryMBSchema } from "../rules/sandbox-size.ts";
import { storableTextPattern } from "../rules/text.ts";
import { previewAuthSchema } from "./previews.ts";
import { imageManifestSchema } from "./snapshots.ts";
import { createdWebhookSchema, createWebhookRequestSchema } from "./webhooks.ts";

const metadataTextSchema = z
  .string()
  .max(limits.metadataCharactersMax)
  .regex(storableTextPattern, "must be well-formed Unicode without NUL");

export const metadataSchema = z
  .record(metadataTextSchema.min(1), metadataTextSchema)
  .refine((entries) => Object.keys(entries).length <= limits.metadataEntriesMax, {
    error: `must have at most ${limits.metadataEntriesMax} entries`,
  });

/** Idle time-out in whole seconds; 0 means never. */
export const idleTimeoutSchema = z
  .int()
  .min(0, "must be positive, or 0 for never")
  .max(limits.idleTimeoutSecondsMax);

/**
 * What counts as use of a sandbox, beside requests and live WebSocket traffic:
 * `requests` nothing, `cpu` also the CPU time that its processes take.
 */
export const idleRuleSchema = z.enum(["requests", "cpu"]);
export type IdleRule = z.infer<typeof idleRuleSchema>;

/**
 * Body of `POST /sandboxes`. Null, zero, the empty string and the template `base`
 * mean that the caller did not choose, so a project's value can apply.
 */
export const createSandboxRequestSchema = z.object({
  templateID: z.string().max(limits.objectNameCharactersMax).nullish(),
  timeout: idleTimeoutSchema.nullish(),
  /** `requests` by default. */
  idle: idleRuleSchema.nullish(),
  envs: environmentSchema.nullish(),
  metadata: metadataSchema.nullish(),
  cpuCount: chosenCpuCountSchema.nullish(),
  memoryMB: chosenMemoryMBSchema.nullish(),
  diskMB: z.union([z.literal(0), z.int().min(limits.diskMBMin).max(limits.diskMBMax)]).nullish(),
  project: z.string().max(limits.objectNameCharactersMax).nullish(),
  secretStore: z.string().max(limits.objectNameCharactersMax).nullish(),
  /** The image that the sandbox starts from instead of the base image; built unless it exists. */
  image: imageManifestSchema.nullish(),
  /** Name of the snapshot that the sandbox starts from. Not together with `image`. */
  snapshot: z.string().max(limits.objectNameCharactersMax).nullish(),
  /** Makes the previews of the sandbox require a token. Without it, the URL of a preview is enough to open it. */
  previewAuth: previewAuthSchema.nullish(),
  /** Webhooks that get the events of this sandbox, and are deleted with it. */
  webhooks: z.array(createWebhookRequestSchema).max(limits.webhooksPerSandboxMax).nullish(),
});
export type CreateSandboxRequest = z.infer<typeof createSandboxRequestSchema>;

export const sandboxStatusSchema = z.enum(["running", "hibernated", "stopped"]);
export type SandboxStatus = z.infer<typeof sandboxStatusSchema>;

/**
 * One row of `GET /sandboxes`. `endAt` is when the idle time-out falls due; null when it never does.
 * `fromCheckpointId` is present in a fork; its checkpoint may be deleted since.
 */
export const sandboxSummarySchema = z.object({
  sandboxID: z.string(),
  templateID: z.string(),
  template: z.string(),
  status: sandboxStatusSchema,
  cpuCount: z.int(),
  memoryMB: z.int(),
  startedAt: timestampSchema,
  endAt: timestampSchema.nullable(),
  metadata: z.record(z.string(), z.string()),
  tags: z.record(z.string(), z.string()),
  fromCheckpointId: z.uuid().optional(),
});
export type SandboxSummary = z.infer<typeof sandboxSummarySchema>;

/**
 * Response of `GET /sandboxes/:id`. `token` opens the data routes of this one
 * sandbox as `Authorization: Bearer`, without an API key.
 */
export const sandboxDetailSchema = sandboxSummarySchema.extend({
  sandboxDomain: z.string(),
  token: z.string(),
  idle: idleRuleSchema,
  secretStore: z.string().optional(),
  baseSecretStore: z.string().optional(),
  project: z.string().optional(),
  /** Which patch of its checkpoint failed in it, and how. */
  patchError: z.string().optional(),
  /** Which of its hooks failed when it was created or restored, and how. */
  hookError: z.string().optional(),
  /** Why it had to boot from its disk at its last wake, without its memory. */
  memoryLost: z.string().optional(),
});
export type SandboxDetail = z.infer<typeof sandboxDetailSchema>;

/** Response of `POST /sandboxes`, sent when the sandbox accepts commands. */
export const createdSandboxSchema = sandboxDetailSchema
  .omit({
    template: true,
    tags: true,
    secretStore: true,
    baseSecretStore: true,
    project: true,
    memoryLost: true,
  })
  .extend({
    /** The token that its previews require, if any; returned only here. */
    previewAuthToken: z.string().optional(),
    /** Present when it was created with any; their secrets are returned only here. */
    webhooks: z.array(createdWebhookSchema).optional(),
  });
export type CreatedSandbox = z.infer<typeof createdSandboxSchema>;

/** Response of `POST /sandboxes/:id/hibernate`. `sizeBytes` is the disk space that it takes. */
export const hibernateResponseSchema = z.object({
  sandboxID: z.string(),
  status: z.literal("hibernated"),
  sizeBytes: z.int().min(0),
});
export type HibernateResponse = z.infer<typeof hibernateResponseSchema>;

/** Query of `DELETE /sandboxes/:id`. `true` deletes the store that it was created with, too. */
export const killSandboxQuerySchema = z.object({
  deleteSecretStore: z.enum(["true", "false", ""]).optional(),
});

/** Body of `POST /sandboxes/:id/wake`. Without `timeout` the original one applies. */
export const wakeSandboxBodySchema = z.object({ timeout: idleTimeoutSchema.nullish() });

/** Response of `POST /sandboxes/:id/wake`. `memoryLost` is present when it booted from its disk. */
export const wokenSandboxSchema = z.object({
  sandboxID: z.string(),
  status: z.literal("running"),
  sandboxDomain: z.string(),
  token: z.string(),
  memoryLost: z.string().optional(),
});
export type WokenSandbox = z.infer<typeof wokenSandboxSchema>;

export const setTimeoutRequestSchema = z.object({ timeout: idleTimeoutSchema });

/**
 * What the egress proxy enforces for a sandbox at present. Secrets without host limits are
 * left out of `perSecretAllowedHosts`, and named in `secretsForAllHosts`.
 */
export const allowedHostsSchema = z.object({
  sandboxID: z.string(),
  project: z.string().optional(),
  secretStore: z.string().optional(),
  baseSecretStore: z.string().optional(),
  egressAllowlist: z.array(z.string()),
  perSecretAllowedHosts: z.record(z.string(), z.array(z.string())),
  /** Present when there are any: they may be used at every host that the allowlist permits. */
  secretsForAllHosts: z.array(z.string()).optional(),
});
export type AllowedHosts = z.infer<typeof allowedHostsSchema>;
