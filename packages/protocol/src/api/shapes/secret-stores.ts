import { z } from "zod";
import { limits } from "../limits.ts";
import { normalizeAllowlistEntry, normalizeSecretHost } from "../rules/egress-host.ts";
import { HostPatternError } from "../rules/host-pattern.ts";
import { timestampSchema } from "../rules/identifiers.ts";
import { normalizePlacement, PlacementError } from "../rules/placement.ts";
import { awsCredentialsSchema, secretKindSchema } from "../rules/secret-kind.ts";
import { byteLength } from "../rules/text.ts";

/** A list of hosts; parsing returns each in its canonical form, once. */
const hostsSchema = (normalize: (text: string) => string) =>
  z
    .array(
      z.string().transform((text, context) => {
        try {
          return normalize(text);
        } catch (error) {
          if (!(error instanceof HostPatternError)) throw error;
          context.addIssue({ code: "custom", message: error.message, input: text });
          return z.NEVER;
        }
      }),
    )
    .max(limits.hostPatternsMax)
    .transform((patterns) => [...new Set(patterns)]);

/** What sandboxes may reach: `HOST`, `HOST:PORT` and `tcp://HOST:PORT`. */
export const egressAllowlistSchema = hostsSchema(normalizeAllowlistEntry);

/** Where a secret may be sent: `HOST` and `HOST:PORT`. */
export const secretHostsSchema = hostsSchema(normalizeSecretHost);

/** One placement; parsing returns its canonical form. */
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
  egressAllowlist: egressAllowlistSchema.nullish(),
  /** Placements of the store's secrets that name none. Absent or null: the operator's default. */
  substituteIn: placementsSchema.nullish(),
});

/** Absent or null keeps a field; an empty list clears it. */
export const updateSecretStoreRequestSchema = z.object({
  name: objectNameSchema.nullish(),
  egressAllowlist: egressAllowlistSchema.nullish(),
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

/** 1 byte to 64 KiB of UTF-8. */
export const secretValueSchema = z
  .string()
  .min(1, "must not be empty")
  .regex(/^[^\p{Surrogate}]*$/u, "must be well-formed Unicode")
  .refine((value) => byteLength(value) <= limits.secretValueBytesMax, {
    error: `must be at most ${limits.secretValueBytesMax} bytes`,
  });

/**
 * When `allowedHosts` is absent or null, limits set earlier are kept; `[]`
 * lifts them. When `substituteIn` is absent or null, placements set earlier
 * are kept; a secret that never had any has those of its store, or of the
 * operator, or `header` and `body`.
 */
const setValueRequestSchema = z.object({
  kind: z.literal("value").nullish(),
  value: secretValueSchema,
  allowedHosts: secretHostsSchema.nullish(),
  substituteIn: placementsSchema.nullish(),
});

/**
 * AWS credentials, which requests are signed with (Signature Version 4). A new secret that
 * names no hosts is for {@link awsHosts}.
 */
const setAwsRequestSchema = setValueRequestSchema.omit({ value: true }).extend({
  kind: z.literal("aws"),
  ...awsCredentialsSchema.shape,
});

export const setSecretRequestSchema = z.discriminatedUnion(
  "kind",
  [setValueRequestSchema, setAwsRequestSchema],
  { error: 'must be "value" or "aws"' },
);
export type SetSecretRequest = z.infer<typeof setSecretRequestSchema>;

/** `warning` is present when the value can be guessed, so that it is not searched for in responses. */
export const setSecretResponseSchema = z.object({
  name: z.string(),
  status: z.literal("set"),
  warning: z.string().optional(),
});
export type SetSecretResponse = z.infer<typeof setSecretResponseSchema>;

/** From then on the token is not replaced anywhere, in sandboxes, checkpoints and forks, until the secret is set again. */
export const revokeSecretResponseSchema = z.object({
  name: z.string(),
  status: z.literal("revoked"),
});
export type RevokeSecretResponse = z.infer<typeof revokeSecretResponseSchema>;

/** A secret as the API returns it: everything but its value. */
export const secretEntrySchema = z.object({
  id: z.uuid(),
  storeId: z.uuid(),
  name: z.string(),
  kind: secretKindSchema.default("value"),
  allowedHosts: z.array(z.string()),
  /** Where its token is replaced by its value: its own placements, or the default that applies. */
  substituteIn: z.array(z.string()),
  /** Present from a revocation until the secret is set again. */
  revokedAt: timestampSchema.optional(),
  /** When a sandbox last sent a request with its value, to a minute; absent when none did. */
  lastUsedAt: timestampSchema.optional(),
  createdAt: timestampSchema,
  updatedAt: timestampSchema,
});
export type SecretEntry = z.infer<typeof secretEntrySchema>;
