import type { EventType } from "@opencomputer/protocol/api";
import { sql } from "../query-builder.ts";
import { bigint, index, jsonb, pgTable, primaryKey, text, time, uuid, xid8 } from "./columns.ts";
import { orgId } from "./orgs.ts";
import { sandboxes } from "./sandboxes.ts";

/**
 * What has happened, written in the transaction that makes it true. An event
 * outlives its sandbox: deliberately no foreign key.
 */
export const events = pgTable(
  "events",
  {
    id: uuid("id").primaryKey().defaultRandom(),
    /** Orders the events of one transaction. */
    sequence: bigint("sequence", { mode: "bigint" }).notNull().generatedAlwaysAsIdentity(),
    /** Orders transactions, so that a reader can tell which may still add events. */
    transactionId: xid8("transaction_id").notNull().default(sql`pg_current_xact_id()`),
    /** The short id of the installation. */
    nodeId: text("node_id").notNull(),
    orgId: orgId(),
    sandboxId: text("sandbox_id"),
    type: text("type").$type<EventType>().notNull(),
    data: jsonb("data").$type<Record<string, unknown>>().notNull(),
    time: time("time").notNull().default(sql`clock_timestamp()`),
  },
  (table) => [
    index("events_org").on(table.orgId, table.transactionId, table.sequence),
    index("events_sandbox").on(table.orgId, table.sandboxId, table.transactionId, table.sequence),
    index("events_time").on(table.time),
  ],
);

/** Which events followed from the egress log of a sandbox, and what occurred since. */
export const egressEventCounts = pgTable(
  "egress_event_counts",
  {
    orgId: orgId(),
    sandboxId: text("sandbox_id")
      .notNull()
      .references(() => sandboxes.id, { onDelete: "cascade" }),
    type: text("type").$type<EgressEventType>().notNull(),
    /** What tells events of the type apart: a secret, a host, a port. */
    subject: text("subject").notNull(),
    /** The event's data without its count. */
    data: jsonb("data").$type<Record<string, unknown>>().notNull(),
    /** How often it occurred since the last event. */
    count: bigint("count", { mode: "number" }).notNull(),
    /** When the last event was recorded; null before the first. */
    reportedAt: time("reported_at"),
  },
  (table) => [
    primaryKey({ columns: [table.sandboxId, table.type, table.subject] }),
    index("egress_event_counts_pending").on(table.reportedAt).where(sql`${table.count} > 0`),
  ],
);

/** The types of events that follow from the egress log. */
export type EgressEventType = Extract<EventType, `secret.${string}` | "egress.refused">;
