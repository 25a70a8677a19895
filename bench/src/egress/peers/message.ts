import { z } from "zod";

/** What the bench sends its helper processes by IPC, and what they return. */
export const originSettingsSchema = z.object({ key: z.string(), cert: z.string() });
export const relaySettingsSchema = originSettingsSchema.extend({
  originPort: z.int(),
  originName: z.string(),
  ca: z.string(),
});
export const bodyOriginSettingsSchema = originSettingsSchema.extend({
  /** The value that the proxy searches for, and one of equal length and class that it does not know. */
  value: z.string(),
  otherValue: z.string(),
});
export const listeningSchema = z.object({ port: z.int() });
