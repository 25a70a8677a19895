import { z } from "zod";
import { HostPatternError, normalizeHostPattern } from "../host-pattern.ts";
import { timestampSchema } from "../identifiers.ts";
import { limits } from "../limits.ts";

/** One pattern, brought to its canonical form while it is parsed. */
export const hostPatternSchema = z.string().transform((text, context) => {
  try {
    return normalizeHostPattern(text);
  } catch (error) {
    if (!(error instanceof HostPatternError)) throw error;
    context.addIssue({ code: "custom", message: error.message, input: text });
    return z.NEVER;
  }
});

export const hostPatternsSchema = z
  .array(hostPatternSchema)
  .max(limits.hostPatternsMax)
  .transform((patterns) => [...new Set(patterns)]);

export const objectNameSchema = z
  .string()
  .trim()
  .min(1, "must not be empty")
  .max(limits.objectNameCharactersMax)
  .regex(/^[^\p{Cc}\p{Surrogate}]*$/u, "must be well-formed Unicode without control characters");

export const createSecretStoreRequestSchema = z.object({
  name: objectNameSchema,
  egressAllowlist: hostPatternsSchema.nullish(),
});

/** Absent or null keeps a field; an empty list clears it. */
export const updateSecretStoreRequestSchema = z.object({
  name: objectNameSchema.nullish(),
  egressAllowlist: hostPatternsSchema.nullish(),
});

export const secretStoreSchema = z.object({
  id: z.uuid(),
  orgId: z.uuid(),
  name: z.string(),
  egressAllowlist: z.array(z.string()),
  createdAt: timestampSchema,
  updatedAt: timestampSchema,
});
export type SecretStoreRecord = z.infer<typeof secretStoreSchema>;

const octets = new TextEncoder();

/** 1 octet to 64 KiB of UTF-8. */
export const secretValueSchema = z
  .string()
  .min(1, "must not be empty")
  .regex(/^[^\p{Surrogate}]*$/u, "must be well-formed Unicode")
  .refine((value) => octets.encode(value).length <= limits.secretValueBytesMax, {
    error: `must be at most ${limits.secretValueBytesMax} octets`,
  });

/** When `allowedHosts` is absent or null, limits set earlier are kept; `[]` lifts them. */
export const setSecretRequestSchema = z.object({
  value: secretValueSchema,
  allowedHosts: hostPatternsSchema.nullish(),
});

export const setSecretResponseSchema = z.object({ name: z.string(), status: z.literal("set") });

/** What the API tells of a secret: everything but its value. */
export const secretEntrySchema = z.object({
  id: z.uuid(),
  storeId: z.uuid(),
  name: z.string(),
  allowedHosts: z.array(z.string()),
  createdAt: timestampSchema,
  updatedAt: timestampSchema,
});
export type SecretEntry = z.infer<typeof secretEntrySchema>;
