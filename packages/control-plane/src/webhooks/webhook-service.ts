import {
  type CreatedWebhook,
  type CreateWebhookRequest,
  defaults,
  type ListDeliveriesQuery,
  limits,
  type UpdateWebhookRequest,
  type WebhookDelivery,
  type WebhookRecord,
  WireError,
} from "@opencomputer/protocol/api";
import type { OrgTransactions } from "../orgs/org-repository.ts";
import type { Vault } from "../vault/vault.ts";
import type { DeliveryRepository } from "./delivery-repository.ts";
import {
  insertWebhook,
  planWebhook,
  toCreatedWebhook,
  toWebhookRecord,
  type WebhookRepository,
  type WebhookRow,
} from "./webhook-repository.ts";

/** Webhooks as the API's callers see them. Every method but `create` and `list` throws `not_found`. */
export interface WebhookService {
  /** @throws {WireError} `limit_exceeded` */
  create(orgId: string, request: CreateWebhookRequest): Promise<CreatedWebhook>;
  /** Lists the webhooks of a sandbox, or with null those of the org itself. */
  list(orgId: string, sandboxId: string | null): Promise<WebhookRecord[]>;
  get(orgId: string, webhookId: string): Promise<WebhookRecord>;
  update(orgId: string, webhookId: string, request: UpdateWebhookRequest): Promise<WebhookRecord>;
  delete(orgId: string, webhookId: string): Promise<void>;
  /** The newest first. */
  deliveries(
    orgId: string,
    webhookId: string,
    query: ListDeliveriesQuery,
  ): Promise<WebhookDelivery[]>;
  /** Sends an event again, now. @throws {WireError} `invalid_request` while the webhook is disabled */
  resend(orgId: string, webhookId: string, deliveryId: string): Promise<WebhookDelivery>;
}

export function createWebhookService(deps: {
  orgTransactions: OrgTransactions;
  vault: Vault;
  webhooks: WebhookRepository;
  deliveries: DeliveryRepository;
}): WebhookService {
  const { orgTransactions, vault, webhooks, deliveries } = deps;

  async function find(orgId: string, webhookId: string): Promise<WebhookRow> {
    const row = await webhooks.find(orgId, webhookId);
    if (row === undefined) throw notFound(webhookId);
    return row;
  }

  return {
    create: (orgId, request) =>
      orgTransactions.run(orgId, async (transaction) => {
        const max = limits.webhooksPerOrgMax;
        if ((await webhooks.count(transaction, orgId)) >= max) {
          throw new WireError(
            "limit_exceeded",
            `Webhook limit reached: this org has ${max} webhooks, the maximum. Delete one first`,
          );
        }
        const planned = planWebhook(request);
        const row = await insertWebhook(transaction, vault, { orgId, sandboxId: null }, planned);
        return toCreatedWebhook(row, planned.secret);
      }),

    async list(orgId, sandboxId) {
      return (await webhooks.list(orgId, sandboxId)).map(toWebhookRecord);
    },

    async get(orgId, webhookId) {
      return toWebhookRecord(await find(orgId, webhookId));
    },

    async update(orgId, webhookId, request) {
      const row = await webhooks.update(orgId, webhookId, request);
      if (row === undefined) throw notFound(webhookId);
      return toWebhookRecord(row);
    },

    async delete(orgId, webhookId) {
      if (!(await webhooks.delete(orgId, webhookId))) throw notFound(webhookId);
    },

    async deliveries(orgId, webhookId, { state, limit = defaults.eventsPerPage }) {
      const { id } = await find(orgId, webhookId);
      return deliveries.list(id, { state, limit });
    },

    async resend(orgId, webhookId, deliveryId) {
      const { id, enabled } = await find(orgId, webhookId);
      if (!enabled) {
        throw new WireError(
          "invalid_request",
          `Webhook ${id} is disabled: enable it first, then send the event again`,
        );
      }
      const delivery = await deliveries.sendAgain(id, deliveryId);
      if (delivery !== undefined) return delivery;
      throw new WireError("not_found", `delivery not found: ${deliveryId}`);
    },
  };
}

function notFound(webhookId: string): WireError {
  return new WireError("not_found", `webhook not found: ${webhookId}`);
}
