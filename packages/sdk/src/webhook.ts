import {
  type CreatedWebhook,
  createdWebhookSchema,
  type EventType,
  type WebhookDelivery,
  type WebhookRecord,
  webhookDeliverySchema,
  webhookRecordSchema,
} from "@opencomputer/protocol/api";
import { type ConnectionOptions, resolveConnection } from "./connection.ts";
import { apiPath } from "./request/api-request.ts";
import { requestDeletion, requestJson } from "./request/send-request.ts";

/** A webhook of {@link Webhook.create} and of {@link Sandbox.create}. */
export interface WebhookOptions {
  /** An `https` or `http` URL without user, password and fragment. */
  url: string;
  /** Signing secret: `whsec_` and the base64 of 24 to 64 bytes. Default: the service generates one. */
  secret?: string | undefined;
  /** Types of events to send. Default: all. */
  eventTypes?: readonly EventType[] | undefined;
}

/** Options of {@link Webhook.create}. */
export interface CreateWebhookOptions extends ConnectionOptions, WebhookOptions {}

/** Options of {@link Webhook.list}. */
export interface ListWebhooksOptions extends ConnectionOptions {
  /** Webhooks of this sandbox. Default: those of the org. */
  sandboxId?: string | undefined;
}

/** Options of {@link Webhook.update}. Absent fields are kept. */
export interface UpdateWebhookOptions extends ConnectionOptions {
  /** An `https` or `http` URL without user, password and fragment. */
  url?: string | undefined;
  /** Types of events to send; null for all. */
  eventTypes?: readonly EventType[] | null | undefined;
  /** `true` resumes a disabled webhook with the events from then on; `false` disables it. */
  enabled?: boolean | undefined;
}

/** Options of {@link Webhook.listDeliveries}. */
export interface ListDeliveriesOptions extends ConnectionOptions {
  /** Only deliveries in this state. Default: all. */
  state?: WebhookDelivery["state"] | undefined;
  /** Deliveries to list, 1–1000. Default 100. */
  limit?: number | undefined;
}

/**
 * URLs that events are sent to. Every call throws {@link OpenComputerError}, with
 * `not_found` for a webhook that does not exist.
 */
export const Webhook = {
  /** Creates a webhook of the org. Its secret is returned only here. @throws `limit_exceeded`. */
  async create(options: CreateWebhookOptions): Promise<CreatedWebhook> {
    const { url, secret, eventTypes } = options;
    return await requestJson(
      resolveConnection(options),
      {
        method: "POST",
        path: "/webhooks",
        body: { kind: "json", value: { url, secret, eventTypes } },
      },
      createdWebhookSchema,
    );
  },

  /** Lists webhooks, oldest first, without their secrets. */
  async list(options: ListWebhooksOptions = {}): Promise<WebhookRecord[]> {
    return await requestJson(
      resolveConnection(options),
      { method: "GET", path: "/webhooks", query: { sandboxId: options.sandboxId } },
      webhookRecordSchema.array(),
    );
  },

  /** Returns one webhook, by its UUID. */
  async get(webhookId: string, options: ConnectionOptions = {}): Promise<WebhookRecord> {
    return await requestJson(
      resolveConnection(options),
      { method: "GET", path: apiPath`/webhooks/${webhookId}` },
      webhookRecordSchema,
    );
  },

  /** Changes the fields that are given. */
  async update(webhookId: string, options: UpdateWebhookOptions): Promise<WebhookRecord> {
    const { url, eventTypes, enabled } = options;
    return await requestJson(
      resolveConnection(options),
      {
        method: "PATCH",
        path: apiPath`/webhooks/${webhookId}`,
        body: { kind: "json", value: { url, eventTypes, enabled } },
      },
      webhookRecordSchema,
    );
  },

  /** Deletes a webhook and its pending deliveries. */
  async delete(webhookId: string, options: ConnectionOptions = {}): Promise<void> {
    await requestDeletion(resolveConnection(options), {
      method: "DELETE",
      path: apiPath`/webhooks/${webhookId}`,
    });
  },

  /** Lists deliveries, past and pending, newest first. */
  async listDeliveries(
    webhookId: string,
    options: ListDeliveriesOptions = {},
  ): Promise<WebhookDelivery[]> {
    const { state, limit } = options;
    const query = { state, limit: limit === undefined ? undefined : String(limit) };
    return await requestJson(
      resolveConnection(options),
      { method: "GET", path: apiPath`/webhooks/${webhookId}/deliveries`, query },
      webhookDeliverySchema.array(),
    );
  },

  /** Sends the event of a delivery again, as a new delivery. @throws `invalid_request` while the webhook is disabled. */
  async resend(
    webhookId: string,
    deliveryId: string,
    options: ConnectionOptions = {},
  ): Promise<WebhookDelivery> {
    const path = apiPath`/webhooks/${webhookId}/deliveries/${deliveryId}/resend`;
    return await requestJson(
      resolveConnection(options),
      { method: "POST", path },
      webhookDeliverySchema,
    );
  },
};
