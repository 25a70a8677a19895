import { limits } from "@opencomputer/protocol/api";
import type { Database } from "../database/database.ts";
import { count, eq, sql } from "../database/query-builder.ts";
import { sandboxes, webhookDeliveries, webhooks } from "../database/schema.ts";

/** What is to be sent, and to how many, of all orgs. */
export interface WebhookCounts {
  pendingDeliveries: number;
  /** The number of webhooks that are `enabled`, or disabled for each reason; a state without any may be absent. */
  byState: ReadonlyMap<string, number>;
}

/** Deletes and counts webhooks and deliveries across orgs. No request of a caller reaches it. */
export function createWebhookMaintenance(database: Database) {
  return {
    async count(): Promise<WebhookCounts> {
      const pendingDeliveries = await database.$count(
        webhookDeliveries,
        eq(webhookDeliveries.state, "pending"),
      );
      const { enabled, disabledReason } = webhooks;
      const rows = await database
        .select({ enabled, disabledReason, count: count() })
        .from(webhooks)
        .groupBy(enabled, disabledReason);
      const states = rows.map((row) => [row.disabledReason ?? "enabled", row.count] as const);
      return { pendingDeliveries, byState: new Map(states) };
    },

    /**
     * Deletes webhooks of sandboxes that are no more, once nothing is left to be sent to
     * them; gives up what waits for a disabled webhook; and deletes the oldest
     * deliveries of webhooks that have too many.
     */
    async deleteExpired(): Promise<void> {
      await database.execute(
        sql`update ${webhookDeliveries} d set state = 'failed' from ${webhooks} w
            where d.state = 'pending' and w.id = d.webhook_id and not w.enabled`,
      );
      await database.execute(
        sql`delete from ${webhooks} w where w.sandbox_id is not null
              and not exists (select 1 from ${sandboxes} s where s.id = w.sandbox_id)
              and not exists (select 1 from ${webhookDeliveries} d
                where d.webhook_id = w.id and d.state = 'pending')`,
      );
      await database.execute(
        sql`delete from ${webhookDeliveries} d using (
              select w.id, kept.created_at from ${webhooks} w
              cross join lateral (
                select created_at from ${webhookDeliveries} where webhook_id = w.id
                order by created_at desc
                offset ${limits.deliveriesPerWebhookMax} limit 1) kept) excess
            where d.webhook_id = excess.id and d.created_at <= excess.created_at`,
      );
    },
  };
}
