import { type EventRecord, type EventType, eventRecordSchema } from "@opencomputer/protocol/api";
import { z } from "zod";
import type { Database } from "../database/database.ts";
import { and, asc, desc, eq, gte, inArray, lt, type SQL, sql } from "../database/query-builder.ts";
import { events } from "../database/schema.ts";
import { type EventPlace, formatCursor } from "./event-cursor.ts";

/** Which events of an org to read; absent fields restrict nothing. */
export interface EventFilter {
  sandboxId?: string | undefined;
  types?: readonly EventType[] | undefined;
  /** The first moment of those to read. */
  since?: Date | undefined;
  /** The first moment after them. */
  until?: Date | undefined;
}

export interface EventPage {
  events: EventRecord[];
  /** The place that the next page in the same order starts at. */
  next: EventPlace;
  hasMore: boolean;
}

const snapshotSchema = z.object({
  rows: z.tuple([z.object({ oldest: z.string(), end: z.string() })]),
});

/** Reads events by org. */
export function createEventRepository(database: Database) {
  /** The oldest transaction that may still add events, and the first that has not begun. */
  async function readSnapshot(): Promise<{ oldest: bigint; end: bigint }> {
    const result = await database.execute(
      sql`select pg_snapshot_xmin(current)::text as oldest, pg_snapshot_xmax(current)::text as end
          from pg_current_snapshot() as current`,
    );
    const { oldest, end } = snapshotSchema.parse(result).rows[0];
    return { oldest: BigInt(oldest), end: BigInt(end) };
  }

  const placeOfRow = sql`(${events.transactionId}, ${events.sequence})`;
  const placeOf = ({ transactionId, sequence }: EventPlace): SQL =>
    sql`(${transactionId.toString()}::xid8, ${sequence.toString()}::bigint)`;

  return {
    /**
     * Reads a page of the org's events: those after the place, the oldest first, or in
     * order `desc` those before it, the newest first. Without a place it starts at that end.
     */
    async list(
      orgId: string,
      filter: EventFilter,
      page: { from: EventPlace | undefined; order: "asc" | "desc"; limit: number },
    ): Promise<EventPage> {
      const { order, limit } = page;
      const snapshot = await readSnapshot();
      const from = page.from === undefined ? undefined : presentPlace(page.from, snapshot.end);
      const direction = order === "asc" ? asc : desc;
      const rows = await database
        .select()
        .from(events)
        .where(
          and(
            eq(events.orgId, orgId),
            lt(events.transactionId, snapshot.oldest.toString()),
            from && sql`${placeOfRow} ${sql.raw(order === "asc" ? ">" : "<")} ${placeOf(from)}`,
            filter.sandboxId === undefined ? undefined : eq(events.sandboxId, filter.sandboxId),
            filter.types && inArray(events.type, [...filter.types]),
            filter.since && gte(events.time, filter.since),
            filter.until && lt(events.time, filter.until),
          ),
        )
        .orderBy(direction(events.transactionId), direction(events.sequence))
        .limit(limit + 1);
      const shown = rows.slice(0, limit);
      const last = shown.at(-1);
      const reached = last === undefined ? (from ?? { sequence: 0n }) : placeOfEvent(last);
      const hasMore = rows.length > limit;
      const next =
        order === "desc" || hasMore
          ? { transactionId: 0n, ...reached }
          : { ...reached, transactionId: snapshot.oldest - 1n };
      return { events: shown.map(toRecord), next, hasMore };
    },

    /** The place after every event that can be read now. */
    async end(): Promise<EventPlace> {
      return { transactionId: (await readSnapshot()).oldest - 1n, sequence: 0n };
    },
  };
}
export type EventRepository = ReturnType<typeof createEventRepository>;

type EventRow = typeof events.$inferSelect;

function placeOfEvent({ transactionId, sequence }: EventRow): EventPlace {
  return { transactionId: BigInt(transactionId), sequence };
}

/**
 * The place in this server of one that may be of another, from which a dump was loaded:
 * there the transaction has not begun, and its events have become those of transaction 0.
 */
function presentPlace(place: EventPlace, end: bigint): EventPlace {
  return place.transactionId < end ? place : { ...place, transactionId: 0n };
}

function toRecord(row: EventRow): EventRecord {
  const { id, nodeId, sandboxId, type, data } = row;
  const time = row.time.toISOString();
  const cursor = formatCursor(placeOfEvent(row));
  return eventRecordSchema.parse({ id, cursor, nodeId, sandboxId, time, type, data });
}
