import { z } from "zod";
import { limits } from "../limits.ts";
import { queryTimeSchema, timestampSchema } from "../rules/identifiers.ts";
import { storableTextPattern } from "../rules/text.ts";
import { sandboxStatusSchema } from "./sandboxes.ts";
import { tagKeySchema } from "./tags.ts";

const amountSchema = z.number().min(0);
const bytesSchema = z.int().min(0);

/** What one sandbox, or several together, used in a period. */
export const usageTotalSchema = z.object({
  /** Sum of the times that the sandboxes ran. */
  runningSeconds: amountSchema,
  /** CPU time of their machines, including the start of each. */
  cpuSeconds: amountSchema,
  /** Memory of the host that their machines held, each MB for as long as it was held. */
  memoryMBSeconds: amountSchema,
  /** The most memory that one sandbox held when its usage was read. */
  memoryPeakBytes: bytesSchema,
  /** The most that one sandbox had written to its disk when its usage was read. */
  diskPeakBytes: bytesSchema,
  /** Bytes that passed the network interfaces of their guests, including what callers of the API sent and read. */
  networkReceivedBytes: bytesSchema,
  networkSentBytes: bytesSchema,
});
export type UsageTotal = z.infer<typeof usageTotalSchema>;

/** The usage in the hour, or the day in UTC, that begins at `start`. */
export const usageBucketSchema = usageTotalSchema.extend({ start: timestampSchema });
export type UsageBucket = z.infer<typeof usageBucketSchema>;

export const usageIntervalSchema = z.enum(["hour", "day"]);
export type UsageInterval = z.infer<typeof usageIntervalSchema>;

/** What a sandbox uses now. A hibernated one has only its disk. */
export const currentUsageSchema = z.object({
  /** When it was read. */
  readAt: timestampSchema,
  /** Time since it was created, woken, restored or rebooted. */
  uptimeSeconds: amountSchema,
  /** Percent of one CPU since the previous reading, or since its start when there was none. 200 is two whole CPUs. */
  cpuPercent: amountSchema,
  memoryBytes: bytesSchema,
  diskBytes: bytesSchema,
});
export type CurrentUsage = z.infer<typeof currentUsageSchema>;

/** The period of the usage: whole hours or days, including those of `since` and `until`. */
const periodSchema = z.object({
  since: timestampSchema,
  until: timestampSchema,
  interval: usageIntervalSchema,
});

/**
 * Response of `GET /sandboxes/:id/usage`. `current` is null when the sandbox was killed, and
 * before it was read for the first time. An hour or a day in which it did not run has no bucket.
 */
export const sandboxUsageSchema = periodSchema.extend({
  sandboxID: z.string(),
  status: sandboxStatusSchema,
  current: currentUsageSchema.nullable(),
  total: usageTotalSchema,
  buckets: z.array(usageBucketSchema),
});
export type SandboxUsage = z.infer<typeof sandboxUsageSchema>;

/** One sandbox in {@link orgUsageSchema}. The tags of one that was killed are those that it had. */
export const sandboxUsageRowSchema = usageTotalSchema.extend({
  sandboxID: z.string(),
  status: sandboxStatusSchema,
  tags: z.record(z.string(), z.string()),
});
export type SandboxUsageRow = z.infer<typeof sandboxUsageRowSchema>;

/** A place in a list that is ordered by CPU time. */
const usageCursorSchema = z
  .string()
  .regex(/^[0-9]{1,15}(:[^\0]*)?$/, "must be a cursor as the API returned it")
  .max(16 + limits.tagValueCharactersMax);

const pageSchema = z.object({
  /** Where the next page starts; null after the last. */
  cursor: usageCursorSchema.nullable(),
});

/** What the running sandboxes use now, together. */
export const currentOrgUsageSchema = currentUsageSchema
  .pick({ cpuPercent: true, memoryBytes: true, diskBytes: true })
  .extend({ runningCount: z.int().min(0) });
export type CurrentOrgUsage = z.infer<typeof currentOrgUsageSchema>;

/**
 * Response of `GET /usage`: of the sandboxes with the tags of the query that ran in the time.
 * `sandboxes` has those that took the most CPU time first.
 */
export const orgUsageSchema = periodSchema.extend({
  current: currentOrgUsageSchema,
  sandboxCount: z.int().min(0),
  total: usageTotalSchema,
  buckets: z.array(usageBucketSchema),
  sandboxes: z.array(sandboxUsageRowSchema),
  ...pageSchema.shape,
});
export type OrgUsage = z.infer<typeof orgUsageSchema>;

/** Sandboxes that have the same value of a tag. `value` is null for those that have none. */
export const tagUsageRowSchema = usageTotalSchema.extend({
  value: z.string().nullable(),
  sandboxCount: z.int().min(1),
});
export type TagUsageRow = z.infer<typeof tagUsageRowSchema>;

/** Response of `GET /usage/tags/:key`. Values whose sandboxes took the most CPU time are first. */
export const tagUsageSchema = periodSchema.extend({
  key: z.string(),
  values: z.array(tagUsageRowSchema),
  ...pageSchema.shape,
});
export type TagUsage = z.infer<typeof tagUsageSchema>;

/**
 * Query of `GET /sandboxes/:id/usage`. `since` is the first moment, by default 24 hours before
 * `until`; `until` the first moment after the usage, by default now. `interval` is the
 * length of the buckets: `hour` by default as long as hours are kept, otherwise `day`.
 */
export const usageQuerySchema = z.object({
  since: queryTimeSchema.optional(),
  until: queryTimeSchema.optional(),
  interval: usageIntervalSchema.optional(),
});
export type UsageQuery = z.output<typeof usageQuerySchema>;

const tagFilterSchema = z
  .string()
  .max(limits.tagKeyCharactersMax + 1 + limits.tagValueCharactersMax)
  .regex(storableTextPattern, "must be well-formed Unicode without NUL")
  .transform((text) => {
    const end = text.indexOf("=");
    return end === -1 ? [text, undefined] : [text.slice(0, end), text.slice(end + 1)];
  })
  .pipe(z.tuple([tagKeySchema, z.string({ error: "must be KEY=VALUE" })]));

/** Query of `GET /usage`, and of `GET /usage/tags/:key`. */
export const orgUsageQuerySchema = usageQuerySchema.extend({
  /** `KEY=VALUE`: only sandboxes with this tag; repeated: with all of these. */
  tag: z
    .union([z.string(), z.array(z.string())])
    .transform((given) => (typeof given === "string" ? [given] : given))
    .pipe(z.array(tagFilterSchema).max(limits.tagsPerSandboxMax))
    .optional(),
  cursor: usageCursorSchema.optional(),
  /** 100 by default. */
  limit: z
    .string()
    .regex(/^[0-9]{1,9}$/, "must be a whole number")
    .transform(Number)
    .pipe(z.int().min(1).max(limits.usageRowsPerPageMax))
    .optional(),
});
export type OrgUsageQuery = z.output<typeof orgUsageQuerySchema>;

/** Parameters of `GET /usage/tags/:key`. */
export const tagUsageParamsSchema = z.object({ key: tagKeySchema });
