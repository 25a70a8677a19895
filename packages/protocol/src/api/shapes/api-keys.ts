import { z } from "zod";
import { apiKeySchema, timestampSchema } from "../rules/identifiers.ts";
import { objectNameSchema } from "./secret-stores.ts";

/** Body of `POST /keys`. Names are for people and may repeat. */
export const createApiKeyRequestSchema = z.object({ name: objectNameSchema });

/**
 * An API key as the API returns it: everything but the key. `prefix` is its
 * beginning, by which people recognize it; `lastUsedAt` is exact to about a minute and
 * absent for a key that was never used.
 */
export const apiKeyEntrySchema = z.object({
  id: z.uuid(),
  name: z.string(),
  prefix: z.string(),
  createdAt: timestampSchema,
  lastUsedAt: timestampSchema.optional(),
});
export type ApiKeyEntry = z.infer<typeof apiKeyEntrySchema>;

/** Response of `POST /keys`, the only one that contains the key. */
export const createdApiKeySchema = apiKeyEntrySchema.extend({ key: apiKeySchema });
export type CreatedApiKey = z.infer<typeof createdApiKeySchema>;
