import { z } from "zod";

/** What the bench tells the API's floor, and what it tells the load generator and hears back. */
export const floorSettingsSchema = z.object({ body: z.string() });
export const loadTaskSchema = z.object({
  port: z.int(),
  /** The head of the one request that is sent over and over. */
  head: z.string(),
  connections: z.int(),
  warmUpMilliseconds: z.int(),
  milliseconds: z.int(),
});
export type LoadTask = z.infer<typeof loadTaskSchema>;
export const loadResultSchema = z.object({ perSecond: z.number(), p99Ms: z.number() });
export type LoadResult = z.infer<typeof loadResultSchema>;
