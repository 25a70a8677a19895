import { randomUUID } from "node:crypto";
import type {
  CreatedWebhook,
  CreateWebhookRequest,
  UpdateWebhookRequest,
  WebhookRecord,
} from "@opencomputer/protocol/api";
import { asUuid, type Database } from "../database/database.ts";
import { and, asc, eq, isNull, sql } from "../database/query-builder.ts";
import { webhooks } from "../database/schema.ts";
import { SecretValue } from "../vault/secret-value.ts";
import type { Vault } from "../vault/vault.ts";
import { mintWebhookSecret } from "./webhook-secret.ts";

export type WebhookRow = typeof webhooks.$inferSelect;

/** A webhook to store, with the id and the secret that it will have. */
export interface NewWebhook extends Pick<WebhookRow, "id" | "url" | "eventTypes"> {
  secret: SecretValue;
}

/** Chooses an id, and a secret unless the request has one. */
export function planWebhook({ url, secret, eventTypes }: CreateWebhookRequest): NewWebhook {
  return {
    id: randomUUID(),
    url,
    eventTypes: eventTypes ?? null,
    secret: secret ? new SecretValue(secret) : mintWebhookSecret(),
  };
}

/** Stores a webhook of an org, or of one of its sandboxes. */
export async function insertWebhook(
  transaction: Database,
  vault: Vault,
  owner: Pick<WebhookRow, "orgId" | "sandboxId">,
  { secret, ...webhook }: NewWebhook,
): Promise<WebhookRow> {
  const context = { kind: "webhook-secret", orgId: owner.orgId, webhookId: webhook.id } as const;
  const encrypted = vault.encrypt(secret, context);
  const [row] = await transaction
    .insert(webhooks)
    .values({ ...owner, ...webhook, ...encrypted })
    .returning();
  if (row === undefined) throw new Error("A webhook is absent right after its insert");
  return row;
}

/** Stores webhooks by org. */
export function createWebhookRepository(database: Database) {
  const one = (orgId: string, id: string) => and(eq(webhooks.orgId, orgId), eq(webhooks.id, id));

  return {
    /** Counts those of the org itself. */
    async count(transaction: Database, orgId: string): Promise<number> {
      return transaction.$count(
        webhooks,
        and(eq(webhooks.orgId, orgId), isNull(webhooks.sandboxId)),
      );
    },

    /** Lists those of a sandbox, or with null those of the org itself; the oldest first. */
    async list(orgId: string, sandboxId: string | null): Promise<WebhookRow[]> {
      const ofOwner =
        sandboxId === null ? isNull(webhooks.sandboxId) : eq(webhooks.sandboxId, sandboxId);
      return database
        .select()
        .from(webhooks)
        .where(and(eq(webhooks.orgId, orgId), ofOwner))
        .orderBy(asc(webhooks.createdAt), asc(webhooks.id));
    },

    async find(orgId: string, webhookId: string): Promise<WebhookRow | undefined> {
      const id = asUuid(webhookId);
      if (id === undefined) return undefined;
      const [row] = await database.select().from(webhooks).where(one(orgId, id));
      return row;
    },

    /** Changes a webhook; enabling one forgets that it has failed. */
    async update(
      orgId: string,
      webhookId: string,
      { url, eventTypes, enabled }: UpdateWebhookRequest,
    ): Promise<WebhookRow | undefined> {
      const id = asUuid(webhookId);
      if (id === undefined) return undefined;
      const [row] = await database
        .update(webhooks)
        .set({
          updatedAt: sql`now()`,
          ...(url ? { url } : {}),
          ...(eventTypes === undefined ? {} : { eventTypes }),
          ...(enabled === true
            ? { enabled, disabledReason: null, failingSince: null }
            : enabled === false
              ? { enabled, disabledReason: "requested" }
              : {}),
        })
        .where(one(orgId, id))
        .returning();
      return row;
    },

    /** Deletes a webhook with its deliveries; returns whether it existed. */
    async delete(orgId: string, webhookId: string): Promise<boolean> {
      const id = asUuid(webhookId);
      if (id === undefined) return false;
      const rows = await database
        .delete(webhooks)
        .where(one(orgId, id))
        .returning({ id: webhooks.id });
      return rows.length > 0;
    },
  };
}
export type WebhookRepository = ReturnType<typeof createWebhookRepository>;

/** Turns a row into the response of the API. */
export function toWebhookRecord(row: WebhookRow): WebhookRecord {
  const { id, sandboxId, url, eventTypes, enabled, disabledReason } = row;
  return {
    ...{ id, sandboxId, url, eventTypes, enabled, disabledReason },
    failingSince: row.failingSince?.toISOString() ?? null,
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
  };
}

/** The one response that shows the secret. */
export function toCreatedWebhook(row: WebhookRow, secret: SecretValue): CreatedWebhook {
  return { ...toWebhookRecord(row), secret: secret.reveal() };
}
