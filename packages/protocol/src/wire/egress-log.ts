import { z } from "zod";
import { sandboxIdSchema } from "../api/rules/identifiers.ts";
import { secretKindSchema } from "../api/rules/secret-kind.ts";
import { egressExchangeSchema } from "../api/shapes/egress-log.ts";
import { egressModeSchema, egressSecretSchema } from "./egress.ts";

/** One line of the egress log, as the proxy hands it over. Sequences grow by the line, for all sandboxes together. */
export const egressLogLineSchema = egressExchangeSchema.extend({
  sequence: z.int().min(1),
  sandboxId: sandboxIdSchema,
  /** Whether any of it was sent to the host: not what was refused, or failed before. */
  wasSent: z.boolean(),
});
export type EgressLogLine = z.infer<typeof egressLogLineSchema>;

/** A line of one process of the proxy: no two lines have the same. */
export const egressLogPositionSchema = z.strictObject({
  instanceId: z.uuid(),
  sequence: z.int().min(0),
});
export type EgressLogPosition = z.infer<typeof egressLogPositionSchema>;

/**
 * Body of `POST /v1/egress-log/read`, control plane to egress proxy. The proxy forgets the
 * lines up to `acknowledged` if they are its own, and responds with the oldest that it has, or
 * after `waitSeconds` with none. What is not acknowledged is returned again.
 */
export const readEgressLogSchema = z.strictObject({
  acknowledged: egressLogPositionSchema.nullable(),
  waitSeconds: z.int().min(0).max(30),
});
export type ReadEgressLog = z.infer<typeof readEgressLogSchema>;

/** Response of `POST /v1/egress-log/read`, in the order of the sequences. */
export const egressLogBatchSchema = z.object({
  instanceId: z.uuid(),
  lines: z.array(egressLogLineSchema),
});
export type EgressLogBatch = z.infer<typeof egressLogBatchSchema>;

/** A request that is only described, in canonical form. */
export const describedRequestSchema = z.strictObject({
  method: z.string(),
  protocol: z.enum(["https", "http", "tcp"]),
  host: z.string(),
  port: z.int().min(1).max(65_535),
});
export type DescribedRequest = z.infer<typeof describedRequestSchema>;

/** What a session will be, without tokens and values: of a sandbox that has none now. */
export const describedSessionSchema = z.strictObject({
  mode: egressModeSchema,
  egressAllowlist: z.array(z.string()),
  secrets: z.array(
    egressSecretSchema
      .pick({ name: true, allowedHosts: true, substituteIn: true })
      .extend({ kind: secretKindSchema }),
  ),
  revokedSecrets: z.array(z.string()),
});
export type DescribedSession = z.infer<typeof describedSessionSchema>;

/**
 * Body of `POST /v1/sessions/:sandboxId/explain`, control plane to egress proxy: `session` is
 * null for the one in force. The response is an `egressExplanationSchema`.
 */
export const explainRequestSchema = z.strictObject({
  request: describedRequestSchema,
  session: describedSessionSchema.nullable(),
});
export type ExplainRequest = z.infer<typeof explainRequestSchema>;
