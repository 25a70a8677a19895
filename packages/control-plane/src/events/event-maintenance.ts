import type { Database } from "../database/database.ts";
import { sql } from "../database/query-builder.ts";
import { events } from "../database/schema.ts";

/** Rows that one statement deletes, at most; the next run deletes the others. */
const deletionsMax = 10_000;

/** How long, and how many, events are kept. */
export interface EventRetention {
  eventsDaysMax: number;
  eventsPerOrgMax: number;
}

/** Deletes and repairs events across orgs. No request of a caller reaches it. */
export function createEventMaintenance(database: Database, retention: EventRetention) {
  return {
    /** Deletes events that are too old, and the oldest of orgs that have too many. */
    async deleteExpired(): Promise<void> {
      const { eventsDaysMax, eventsPerOrgMax } = retention;
      await database.execute(
        sql`delete from ${events} where id in (
              select id from ${events} where time < now() - make_interval(days => ${eventsDaysMax})
              order by time limit ${deletionsMax})`,
      );
      await database.execute(
        sql`delete from ${events} using (
              select o.id as org_id, kept.transaction_id, kept.sequence from orgs o
              cross join lateral (
                select transaction_id, sequence from ${events} where org_id = o.id
                order by transaction_id desc, sequence desc
                offset ${eventsPerOrgMax} limit 1) as kept) as excess
            where ${events.orgId} = excess.org_id
              and (${events.transactionId}, ${events.sequence}) <= (excess.transaction_id, excess.sequence)`,
      );
    },

    /**
     * Gives events that came in a dump of another server a place before all that
     * this server will write: the other server's transaction ids mean nothing here.
     */
    async placeLoaded(): Promise<void> {
      const foreign = sql`select 1 from ${events} where transaction_id >= pg_snapshot_xmax(pg_current_snapshot())`;
      await database.update(events).set({ transactionId: "0" }).where(sql`exists (${foreign})`);
    },
  };
}
