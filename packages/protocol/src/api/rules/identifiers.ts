import { z } from "zod";

/** `sb-` and 20 lowercase base32 characters: 100 bits that cannot be guessed. */
export const sandboxIdPattern = /^sb-[a-z2-7]{20}$/;
export const sandboxIdSchema = z
  .string()
  .regex(sandboxIdPattern, "must look like sb-… as the API returned it");

/** `osb_` and 64 lowercase hexadecimal digits. */
export const apiKeyPattern = /^osb_[0-9a-f]{64}$/;
export const apiKeySchema = z
  .string()
  .regex(apiKeyPattern, "must be osb_ and 64 lowercase hexadecimal digits");

export const uuidSchema = z.uuid();

/** Time on the wire: ISO 8601 in UTC. */
export const timestampSchema = z.iso.datetime();

/** A time in a query. PostgreSQL has no year 0, and a year of five digits is no ISO 8601. */
export const queryTimeSchema = timestampSchema.regex(
  /^(?:19[7-9]\d|2\d{3})-/,
  "must be a time from 1970 to 2999",
);
