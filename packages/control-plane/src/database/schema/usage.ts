import {
  boolean,
  countOf,
  doublePrecision,
  index,
  jsonb,
  pgTable,
  primaryKey,
  text,
  time,
  uuid,
} from "./columns.ts";
import { orgId } from "./orgs.ts";

/**
 * What each machine had taken of its host when it was last read, which the next reading is
 * compared with. The last reading of one that has ended stays as long as it may be read again.
 */
export const machineUsage = pgTable("machine_usage", {
  machineId: uuid("machine_id").primaryKey(),
  orgId: orgId(),
  sandboxId: text("sandbox_id").notNull(),
  startedAt: time("started_at").notNull(),
  readAt: time("read_at").notNull(),
  hasEnded: boolean("has_ended").notNull(),
  /** Percent of one CPU between the last two readings. */
  cpuPercent: doublePrecision("cpu_percent").notNull(),
  cpuMilliseconds: countOf("cpu_milliseconds"),
  memoryBytes: countOf("memory_bytes"),
  diskBytes: countOf("disk_bytes"),
  networkReceivedBytes: countOf("network_received_bytes"),
  networkSentBytes: countOf("network_sent_bytes"),
});

/** The usage of a sandbox in an hour, later in a day of UTC. It outlives its sandbox: deliberately no foreign key. */
export const usageBuckets = pgTable(
  "usage_buckets",
  {
    orgId: orgId(),
    sandboxId: text("sandbox_id").notNull(),
    span: text("span", { enum: ["hour", "day"] }).notNull(),
    startsAt: time("starts_at").notNull(),
    runningMilliseconds: countOf("running_milliseconds"),
    cpuMilliseconds: countOf("cpu_milliseconds"),
    memoryMBSeconds: countOf("memory_mb_seconds"),
    memoryPeakBytes: countOf("memory_peak_bytes"),
    diskPeakBytes: countOf("disk_peak_bytes"),
    networkReceivedBytes: countOf("network_received_bytes"),
    networkSentBytes: countOf("network_sent_bytes"),
  },
  (table) => [
    primaryKey({ columns: [table.sandboxId, table.span, table.startsAt] }),
    index("usage_buckets_org").on(table.orgId, table.startsAt),
    index("usage_buckets_span").on(table.span, table.startsAt),
  ],
);

/** The tags that sandboxes with usage had when it was read, for those whose row was deleted. */
export const usageSandboxes = pgTable("usage_sandboxes", {
  sandboxId: text("sandbox_id").primaryKey(),
  orgId: orgId(),
  tags: jsonb("tags").$type<Record<string, string>>().notNull(),
});
