import type { EgressExchange, EgressProtocol, EgressSecrets } from "@opencomputer/protocol/api";
import {
  bigint,
  boolean,
  index,
  integer,
  jsonb,
  pgTable,
  text,
  time,
  uniqueIndex,
  uuid,
} from "./columns.ts";
import { orgId } from "./orgs.ts";

/**
 * What sandboxes exchanged with the network. An entry outlives its sandbox: deliberately no
 * foreign key. Ids are in the order of commits, because whoever stores entries holds a lock.
 */
export const egressLog = pgTable(
  "egress_log",
  {
    id: bigint("id", { mode: "number" }).primaryKey().generatedAlwaysAsIdentity(),
    orgId: orgId(),
    sandboxId: text("sandbox_id").notNull(),
    /** The process of the egress proxy that the entry is from. */
    instanceId: uuid("instance_id").notNull(),
    /** The number of the line in that process. */
    sequence: bigint("sequence", { mode: "number" }).notNull(),
    storedAt: time("stored_at").notNull().defaultNow(),
    time: time("time").notNull(),
    protocol: text("protocol").$type<EgressProtocol>().notNull(),
    host: text("host"),
    port: integer("port"),
    decision: text("decision", { enum: ["allowed", "refused"] }).notNull(),
    /** Whether any of it was sent to the host. */
    wasSent: boolean("was_sent").notNull().default(true),
    status: integer("status"),
    leftOut: bigint("left_out", { mode: "number" }).notNull(),
    secrets: jsonb("secrets").$type<EgressSecrets>().notNull(),
    /** What is only shown. */
    shown: jsonb("shown").$type<ShownExchange>().notNull(),
  },
  (table) => [
    uniqueIndex("egress_log_line").on(table.instanceId, table.sequence),
    index("egress_log_sandbox").on(table.sandboxId, table.id),
    index("egress_log_org").on(table.orgId, table.id),
    index("egress_log_stored_at").on(table.storedAt),
  ],
);

export type EgressLogRow = typeof egressLog.$inferSelect;
/** What an entry has before the database adds its id and when it was stored. */
export type NewEgressEntry = Omit<EgressLogRow, "id" | "storedAt">;

/** How many entries of the egress log each sandbox has: the log itself takes long to count. */
export const egressLogCounts = pgTable(
  "egress_log_counts",
  {
    sandboxId: text("sandbox_id").primaryKey(),
    orgId: orgId(),
    entries: bigint("entries", { mode: "number" }).notNull(),
  },
  (table) => [index("egress_log_counts_org").on(table.orgId)],
);

type ShownExchange = Pick<
  EgressExchange,
  "method" | "path" | "reason" | "requestBytes" | "responseBytes" | "durationMilliseconds"
>;
