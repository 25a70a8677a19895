import { z } from "zod";
import { HostPatternError, normalizeHostPattern } from "../host-pattern.ts";
import { timestampSchema } from "../identifiers.ts";
import { limits } from "../limits.ts";
import { normalizePlacement, PlacementError } from "../placement.ts";

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

/** One placement, brought to its canonical form while it is parsed. */
export const placementSchema = z.string().transform((text, context) => {
  try {
    return normalizePlacement(text);
  } catch (error) {
    if (!(error instanceof PlacementError)) throw error;
    context.addIssue({ code: "custom", message: error.message, input: text });
    return z.NEVER;
  }
});

export const placementsSchema = z
  .array(placementSchema)
  .min(1, "must name a placement: header, header:NAME, body, body:FIELD, query or path")
  .max(limits.placementsMax)
  .transform((placements) => [...new Set(placements)]);

export const objectNameSchema = z
  .string()
  .trim()
  .min(1, "must not be empty")
  .max(limits.objectNameCharactersMax)
  .regex(/^[^\p{Cc}\p{Surrogate}]*$/u, "must be well-formed Unicode without control characters");

export const createSecretStoreRequestSchema = z.object({
  name: objectNameSchema,
  egressAllowlist: hostPatternsSchema.nullish(),
  /** Placements of the store's secrets that name none. Absent or null: the operator's default. */
  substituteIn: placementsSchema.nullish(),
});

/** Absent or null keeps a field; an empty list clears it. */
export const updateSecretStoreRequestSchema = z.object({
  name: objectNameSchema.nullish(),
  egressAllowlist: hostPatternsSchema.nullish(),
  substituteIn: z.union([z.array(z.string()).max(0), placementsSchema]).nullish(),
});

export const secretStoreSchema = z.object({
  id: z.uuid(),
  orgId: z.uuid(),
  name: z.string(),
  egressAllowlist: z.array(z.string()),
  /** Absent when the store names none. */
  substituteIn: z.array(z.string()).optional(),
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

/**
 * When `allowedHosts` is absent or null, limits set earlier are kept; `[]`
 * lifts them. When `substituteIn` is absent or null, placements set earlier
 * are kept; a secret that never had any has those of its store, or of the
 * operator, or `header` and `body`.
 */
export const setSecretRequestSchema = z.object({
  value: secretValueSchema,
  allowedHosts: hostPatternsSchema.nullish(),
  substituteIn: placementsSchema.nullish(),
});

/** `warning` is present when the value can be guessed, so that it is not searched for in responses. */
export const setSecretResponseSchema = z.object({
  name: z.string(),
  status: z.literal("set"),
  warning: z.string().optional(),
});
export type SetSecretResponse = z.infer<typeof setSecretResponseSchema>;

/** Whatever runs, is hibernated or saved has the token and never the value again, until the secret is set anew. */
export const revokeSecretResponseSchema = z.object({
  name: z.string(),
  status: z.literal("revoked"),
});
export type RevokeSecretResponse = z.infer<typeof revokeSecretResponseSchema>;

/** What the API tells of a secret: everything but its value. */
export const secretEntrySchema = z.object({
  id: z.uuid(),
  storeId: z.uuid(),
  name: z.string(),
  allowedHosts: z.array(z.string()),
  /** Where its token becomes its value; what it falls back to when it names none itself. */
  substituteIn: z.array(z.string()),
  /** Present from a revocation until the secret is set again. */
  revokedAt: timestampSchema.optional(),
  createdAt: timestampSchema,
  updatedAt: timestampSchema,
});
export type SecretEntry = z.infer<typeof secretEntrySchema>;
