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
