import { z } from "zod";
import { limits } from "../limits.ts";
import { sandboxIdSchema, timestampSchema } from "../rules/identifiers.ts";
import { storableTextPattern } from "../rules/text.ts";
import { eventTypeSchema } from "./events.ts";

/** Where events are sent: `https`, or `http`, without a user, a password and a fragment. */
export const webhookUrlSchema = z
  .string()
  .max(limits.webhookUrlCharactersMax)
  .regex(storableTextPattern, "must be well-formed Unicode without NUL")
  .refine(isWebhookUrl, {
    error: "must be an https or http URL without user, password and fragment",
  });

function isWebhookUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password, hash } = new URL(text);
  return /^https?:$/.test(protocol) && username === "" && password === "" && hash === "";
}

/** A signing secret as Standard Webhooks has it: `whsec_` and the base64 of 24 to 64 bytes. */
export const webhookSecretSchema = z
  .string()
  .regex(
    /^whsec_(?:(?:[A-Za-z0-9+/]{4}){8,20}(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?|(?:[A-Za-z0-9+/]{4}){21}(?:[A-Za-z0-9+/]{2}==)?)$/,
    "must be whsec_ and the base64 of 24 to 64 bytes",
  );

const eventTypesSchema = z.array(eventTypeSchema).min(1).max(eventTypeSchema.options.length);

/**
 * Body of `POST /webhooks`, and an entry of `webhooks` of `POST /sandboxes`. Without
 * `eventTypes` it gets all; without `secret` one of 256 random bits is made.
 */
export const createWebhookRequestSchema = z.object({
  url: webhookUrlSchema,
  secret: webhookSecretSchema.nullish(),
  eventTypes: eventTypesSchema.nullish(),
});
export type CreateWebhookRequest = z.infer<typeof createWebhookRequestSchema>;

/** Body of `PATCH /webhooks/:id`. Absent and null keep a field, but `eventTypes: null` chooses all types. */
export const updateWebhookRequestSchema = z.object({
  url: webhookUrlSchema.nullish(),
  eventTypes: eventTypesSchema.nullish(),
  /** `true` resumes a disabled webhook with the events from then on; `false` disables it. */
  enabled: z.boolean().nullish(),
});
export type UpdateWebhookRequest = z.infer<typeof updateWebhookRequestSchema>;

/** Why a webhook is disabled: on request, because its receiver is gone (410), or after a day of failures. */
export const webhookDisabledReasonSchema = z.enum(["requested", "gone", "failing"]);

/** A webhook as the API returns it: everything but its secret. */
export const webhookRecordSchema = z.object({
  id: z.uuid(),
  /** Null for a webhook of the org. */
  sandboxId: z.string().nullable(),
  url: z.string(),
  /** Null for all. */
  eventTypes: z.array(z.string()).nullable(),
  enabled: z.boolean(),
  disabledReason: webhookDisabledReasonSchema.nullable(),
  /** Since when every delivery has failed; null when the last one did not. */
  failingSince: timestampSchema.nullable(),
  createdAt: timestampSchema,
  updatedAt: timestampSchema,
});
export type WebhookRecord = z.infer<typeof webhookRecordSchema>;

/** Response of `POST /webhooks`, the only one that contains the secret. */
export const createdWebhookSchema = webhookRecordSchema.extend({ secret: z.string() });
export type CreatedWebhook = z.infer<typeof createdWebhookSchema>;

/** Query of `GET /webhooks`: the webhooks of a sandbox, or without `sandboxId` those of the org. */
export const listWebhooksQuerySchema = z.object({ sandboxId: sandboxIdSchema.optional() });

export const webhookDeliveryStateSchema = z.enum(["pending", "delivered", "failed"]);

/**
 * The delivery of one event to one webhook. `pending` is sent at `nextAttemptAt`;
 * `failed` is not sent any more. `responseStatus` and `error` are those of the last attempt.
 */
export const webhookDeliverySchema = z.object({
  id: z.uuid(),
  webhookId: z.uuid(),
  eventId: z.uuid(),
  eventType: z.string(),
  state: webhookDeliveryStateSchema,
  attempts: z.int().min(0),
  createdAt: timestampSchema,
  lastAttemptAt: timestampSchema.nullable(),
  nextAttemptAt: timestampSchema.nullable(),
  responseStatus: z.int().nullable(),
  error: z.string().nullable(),
});
export type WebhookDelivery = z.infer<typeof webhookDeliverySchema>;

/** Query of `GET /webhooks/:id/deliveries`; 100 by default. */
export const listDeliveriesQuerySchema = z.object({
  state: webhookDeliveryStateSchema.optional(),
  limit: z
    .string()
    .regex(/^[0-9]{1,9}$/, "must be a whole number")
    .transform(Number)
    .pipe(z.int().min(1).max(limits.eventsPerPageMax))
    .optional(),
});
export type ListDeliveriesQuery = z.output<typeof listDeliveriesQuerySchema>;
