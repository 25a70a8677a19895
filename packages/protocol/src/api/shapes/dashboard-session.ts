import { z } from "zod";
import { timestampSchema } from "../rules/identifiers.ts";

/**
 * A header field of every request of the dashboard, with any value. A page of
 * another origin can send it only if the service agrees (Fetch, section 3.3), which it never does.
 */
export const dashboardHeader = "x-opencomputer-dashboard";

/** Body of `POST /dashboard/session`, which opens a session of the dashboard by an API key. */
export const openDashboardSessionRequestSchema = z.object({
  apiKey: z
    .string()
    .trim()
    .min(1, "must not be empty")
    .max(256, "must be an API key: osb_ and 64 hexadecimal digits"),
});

/** Response of `POST` and `GET /dashboard/session`: the key by which it was opened, without its value. */
export const dashboardSessionSchema = z.object({
  keyId: z.uuid(),
  keyName: z.string(),
  keyPrefix: z.string(),
  expiresAt: timestampSchema,
});
export type DashboardSession = z.infer<typeof dashboardSessionSchema>;
