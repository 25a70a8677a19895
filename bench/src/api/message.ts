import { z } from "zod";

/** Messages between the bench and its processes: the API's floor and the load generator. */
export const floorSettingsSchema = z.object({ body: z.string() });
export const loadTaskSchema = z.object({
  port: z.int(),
  /** The head of the request, which is sent repeatedly. */
  head: z.string(),
  connections: z.int(),
  warmUpMilliseconds: z.int(),
  milliseconds: z.int(),
});
export type LoadTask = z.infer<typeof loadTaskSchema>;
export const loadResultSchema = z.object({ perSecond: z.number(), p99Ms: z.number() });
export type LoadResult = z.infer<typeof loadResultSchema>;
