import { randomBytes, randomUUID } from "node:crypto";
import {
  type CreatedWebhook,
  type CreateWebhookRequest,
  createdWebhookSchema,
  createWebhookRequestSchema,
  type EventRecord,
  listDeliveriesQuerySchema,
  listWebhooksQuerySchema,
  updateWebhookRequestSchema,
  type WebhookDelivery,
  WireError,
  webhookDeliverySchema,
  webhookRecordSchema,
} from "@opencomputer/protocol/api";
import { type Exchange, parseOrRefuse, type Route } from "./route.ts";

/** A webhook of the contract server, which sends nothing. */
interface FakeWebhook {
  record: CreatedWebhook;
  deliveries: WebhookDelivery[];
}

export interface WebhookState {
  webhooks: Map<string, FakeWebhook>;
  routes: Route[];
  create(sandboxId: string | null, request: CreateWebhookRequest): CreatedWebhook;
  /** Has every webhook that wants the event a delivery of it. */
  deliver(event: EventRecord): void;
}

export function createWebhookRoutes(): WebhookState {
  const webhooks = new Map<string, FakeWebhook>();
  const now = () => new Date().toISOString();

  function find(exchange: Exchange): FakeWebhook {
    const webhook = webhooks.get(exchange.parameter("id"));
    if (webhook !== undefined) return webhook;
    throw new WireError("not_found", `webhook not found: ${exchange.parameter("id")}`);
  }

  function deliveryOf(webhookId: string, eventId: string, eventType: string): WebhookDelivery {
    return {
      ...{ id: randomUUID(), webhookId, eventId, eventType, state: "delivered", attempts: 1 },
      ...{ createdAt: now(), lastAttemptAt: now(), nextAttemptAt: null },
      ...{ responseStatus: 204, error: null },
    };
  }

  const state: WebhookState = {
    webhooks,

    create(sandboxId, { url, secret, eventTypes }) {
      const record: CreatedWebhook = {
        ...{ id: randomUUID(), sandboxId, url, eventTypes: eventTypes ?? null, enabled: true },
        ...{ disabledReason: null, failingSince: null, createdAt: now(), updatedAt: now() },
        secret: secret ?? `whsec_${randomBytes(32).toString("base64")}`,
      };
      webhooks.set(record.id, { record, deliveries: [] });
      return record;
    },

    deliver({ id, type, sandboxId }) {
      for (const { record, deliveries } of webhooks.values()) {
        const isOfIt = record.sandboxId === null || record.sandboxId === sandboxId;
        const isChosen = record.eventTypes?.includes(type) ?? true;
        if (record.enabled && isOfIt && isChosen) {
          deliveries.unshift(deliveryOf(record.id, id, type));
        }
      }
    },

    routes: [
      {
        method: "POST",
        path: "/webhooks",
        async handle(exchange) {
          const request = await exchange.body(createWebhookRequestSchema);
          await exchange.respond(201, createdWebhookSchema, state.create(null, request));
        },
      },
      {
        method: "GET",
        path: "/webhooks",
        async handle({ query, respond }) {
          const chosen = parseOrRefuse(listWebhooksQuerySchema, Object.fromEntries(query));
          const records = [...webhooks.values()].map(({ record }) => record);
          const owner = chosen.sandboxId ?? null;
          const found = records.filter(({ sandboxId }) => sandboxId === owner);
          await respond(200, webhookRecordSchema.array(), found);
        },
      },
      {
        method: "GET",
        path: "/webhooks/:id",
        handle: (exchange) => exchange.respond(200, webhookRecordSchema, find(exchange).record),
      },
      {
        method: "PATCH",
        path: "/webhooks/:id",
        async handle(exchange) {
          const { record } = find(exchange);
          const change = await exchange.body(updateWebhookRequestSchema);
          record.url = change.url ?? record.url;
          record.eventTypes =
            change.eventTypes === undefined ? record.eventTypes : change.eventTypes;
          record.enabled = change.enabled ?? record.enabled;
          record.disabledReason = record.enabled ? null : "requested";
          await exchange.respond(200, webhookRecordSchema, record);
        },
      },
      {
        method: "DELETE",
        path: "/webhooks/:id",
        handle(exchange) {
          webhooks.delete(find(exchange).record.id);
          exchange.done();
        },
      },
      {
        method: "GET",
        path: "/webhooks/:id/deliveries",
        async handle(exchange) {
          const query = Object.fromEntries(exchange.query);
          const { state: wanted, limit = 100 } = parseOrRefuse(listDeliveriesQuerySchema, query);
          const found = find(exchange).deliveries.filter(
            (delivery) => wanted === undefined || delivery.state === wanted,
          );
          await exchange.respond(200, webhookDeliverySchema.array(), found.slice(0, limit));
        },
      },
      {
        method: "POST",
        path: "/webhooks/:id/deliveries/:deliveryId/resend",
        async handle(exchange) {
          const { record, deliveries } = find(exchange);
          const id = exchange.parameter("deliveryId");
          const found = deliveries.find((delivery) => delivery.id === id);
          if (found === undefined) throw new WireError("not_found", `delivery not found: ${id}`);
          if (!record.enabled) throw new WireError("invalid_request", "The webhook is disabled");
          const again = deliveryOf(record.id, found.eventId, found.eventType);
          deliveries.unshift(again);
          await exchange.respond(202, webhookDeliverySchema, again);
        },
      },
    ],
  };
  return state;
}
