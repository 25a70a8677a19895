import type { WebhookDelivery } from "@opencomputer/protocol/api";
import { asUuid, type Database } from "../database/database.ts";
import { and, desc, eq, sql } from "../database/query-builder.ts";
import { events, webhookDeliveries } from "../database/schema.ts";

type DeliveryRow = typeof webhookDeliveries.$inferSelect;

/** Reads the deliveries of a webhook, and adds one by request. Its callers know the webhook to be the org's. */
export function createDeliveryRepository(database: Database) {
  return {
    /** Lists the newest first. */
    async list(
      webhookId: string,
      { state, limit }: { state: DeliveryRow["state"] | undefined; limit: number },
    ): Promise<WebhookDelivery[]> {
      const rows = await database
        .select({ delivery: webhookDeliveries, eventType: events.type })
        .from(webhookDeliveries)
        .innerJoin(events, eq(events.id, webhookDeliveries.eventId))
        .where(
          and(
            eq(webhookDeliveries.webhookId, webhookId),
            state === undefined ? undefined : eq(webhookDeliveries.state, state),
          ),
        )
        .orderBy(desc(webhookDeliveries.createdAt), desc(webhookDeliveries.id))
        .limit(limit);
      return rows.map(({ delivery, eventType }) => toRecord(delivery, eventType));
    },

    /** Adds a delivery of the event that another one had; undefined when that does not exist. */
    async sendAgain(webhookId: string, deliveryId: string): Promise<WebhookDelivery | undefined> {
      const id = asUuid(deliveryId);
      if (id === undefined) return undefined;
      const [found] = await database
        .select({ eventId: events.id, eventType: events.type })
        .from(webhookDeliveries)
        .innerJoin(events, eq(events.id, webhookDeliveries.eventId))
        .where(and(eq(webhookDeliveries.id, id), eq(webhookDeliveries.webhookId, webhookId)));
      if (found === undefined) return undefined;
      const [row] = await database
        .insert(webhookDeliveries)
        .values({ webhookId, eventId: found.eventId, createdAt: sql`clock_timestamp()` })
        .returning();
      return row === undefined ? undefined : toRecord(row, found.eventType);
    },
  };
}
export type DeliveryRepository = ReturnType<typeof createDeliveryRepository>;

function toRecord(row: DeliveryRow, eventType: string): WebhookDelivery {
  const { id, webhookId, eventId, state, attempts, responseStatus, error } = row;
  return {
    ...{ id, webhookId, eventId, eventType, state, attempts, responseStatus, error },
    createdAt: row.createdAt.toISOString(),
    lastAttemptAt: row.lastAttemptAt?.toISOString() ?? null,
    nextAttemptAt: state === "pending" ? row.nextAttemptAt.toISOString() : null,
  };
}
