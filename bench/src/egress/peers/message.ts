import { z } from "zod";

/** IPC messages between the bench and its helper processes. */
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
export const crowdSettingsSchema = z.object({
  /** Connections that are open and idle, or that are opened again and again. */
  kind: z.enum(["idle", "opening"]),
  count: z.int(),
  request: z.string(),
  host: z.string(),
  port: z.int(),
  localAddress: z.string(),
  servername: z.string(),
  ca: z.string(),
});
export type CrowdSettings = z.infer<typeof crowdSettingsSchema>;
export const listeningSchema = z.object({ port: z.int() });
