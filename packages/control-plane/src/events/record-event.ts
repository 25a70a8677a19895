import { type EventContent, eventContentSchema } from "@opencomputer/protocol/api";
import type { Database } from "../database/database.ts";
import { sql } from "../database/query-builder.ts";
import { events, installations, webhookDeliveries, webhooks } from "../database/schema.ts";

/** An event without what the database adds: id, place, node and time. */
export type NewEvent = EventContent & {
  orgId: string;
  /** Null for an event that belongs to no sandbox. */
  sandboxId: string | null;
};

/**
 * Records an event in the transaction that makes it true, with a delivery for each webhook
 * that wants it: readers and webhooks get it once that has committed, and never
 * otherwise. Fields that the type does not have are dropped.
 *
 * @throws {ZodError} when its data is not of the shape of its type.
 */
export function recordEvent(transaction: Database, event: NewEvent): Promise<void> {
  return recordEvents(transaction, [event]);
}

/** Records several as {@link recordEvent} does, in one statement; readers get them in this order. */
export async function recordEvents(
  transaction: Database,
  newEvents: readonly NewEvent[],
): Promise<void> {
  if (newEvents.length === 0) return;
  const rows = newEvents.map(({ orgId, sandboxId, ...content }) => {
    const { type, data } = eventContentSchema.parse(content);
    return { org_id: orgId, sandbox_id: sandboxId, type, data };
  });
  await transaction.execute(
    sql`with recorded as (
          insert into ${events} (node_id, org_id, sandbox_id, type, data)
          select (select short_id from ${installations}), org_id, sandbox_id, type, data
          from jsonb_populate_recordset(null::${events}, ${JSON.stringify(rows)}::jsonb)
            with ordinality as given
          order by given.ordinality
          returning id, org_id, sandbox_id, type)
        insert into ${webhookDeliveries} (webhook_id, event_id)
        select w.id, recorded.id from recorded join ${webhooks} w on w.org_id = recorded.org_id
        where w.enabled and (w.sandbox_id is null or w.sandbox_id = recorded.sandbox_id)
          and (w.event_types is null or w.event_types ? recorded.type)`,
  );
}
