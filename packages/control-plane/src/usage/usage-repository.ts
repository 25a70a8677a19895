import { sandboxIdPattern } from "@opencomputer/protocol/api";
import type { Database } from "../database/database.ts";
import {
  and,
  asc,
  count,
  desc,
  eq,
  gte,
  inArray,
  lt,
  max,
  or,
  type SQL,
  sql,
  sum,
} from "../database/query-builder.ts";
import { machineUsage, sandboxes, usageBuckets, usageSandboxes } from "../database/schema.ts";
import { statesByStatus } from "../sandboxes/rows/sandbox-states.ts";
import type { UsagePeriod } from "./usage-period.ts";

/** Sums of buckets, and the largest of their peaks. */
export type UsageSums = Pick<
  typeof usageBuckets.$inferSelect,
  | "runningMilliseconds"
  | "cpuMilliseconds"
  | "memoryMBSeconds"
  | "memoryPeakBytes"
  | "diskPeakBytes"
  | "networkReceivedBytes"
  | "networkSentBytes"
>;

/** Which usage of an org: in the period, of sandboxes with all of the tags. */
export interface UsageFilter {
  orgId: string;
  period: UsagePeriod;
  tags: Record<string, string>;
}

/** A place in a list that is ordered by CPU time and then by key. A key of null is the last. */
export interface UsagePlace {
  cpuMilliseconds: number;
  key: string | null;
}

interface Page {
  after: UsagePlace | undefined;
  limit: number;
}

const sums = {
  runningMilliseconds: sum(usageBuckets.runningMilliseconds).mapWith(Number),
  cpuMilliseconds: sum(usageBuckets.cpuMilliseconds).mapWith(Number),
  memoryMBSeconds: sum(usageBuckets.memoryMBSeconds).mapWith(Number),
  memoryPeakBytes: max(usageBuckets.memoryPeakBytes).mapWith(Number),
  diskPeakBytes: max(usageBuckets.diskPeakBytes).mapWith(Number),
  networkReceivedBytes: sum(usageBuckets.networkReceivedBytes).mapWith(Number),
  networkSentBytes: sum(usageBuckets.networkSentBytes).mapWith(Number),
};

/** Tags are those that a sandbox has, or had when its usage was read last. */
const tagsOf = sql<Record<string, string>>`coalesce(${sandboxes.tags}, ${usageSandboxes.tags})`;

/** Reads the usage of an org's sandboxes, also of those that have been killed. */
export function createUsageRepository(database: Database) {
  const withTags = (orgId: string, tags: Record<string, string>) =>
    database
      .select({ id: usageSandboxes.sandboxId })
      .from(usageSandboxes)
      .leftJoin(sandboxes, eq(sandboxes.id, usageSandboxes.sandboxId))
      .where(and(eq(usageSandboxes.orgId, orgId), hasTags(tagsOf, tags)));

  const chosen = ({ orgId, period, tags }: UsageFilter) =>
    and(
      eq(usageBuckets.orgId, orgId),
      gte(usageBuckets.startsAt, period.since),
      lt(usageBuckets.startsAt, period.until),
      isEmpty(tags) ? undefined : inArray(usageBuckets.sandboxId, withTags(orgId, tags)),
    );

  /** The sums of each sandbox, each with how many sandboxes there are. */
  const bySandbox = (filter: UsageFilter) =>
    database
      .select({
        sandboxId: usageBuckets.sandboxId,
        runningMilliseconds: sums.runningMilliseconds.as("running_milliseconds"),
        cpuMilliseconds: sums.cpuMilliseconds.as("cpu_milliseconds"),
        memoryMBSeconds: sums.memoryMBSeconds.as("memory_mb_seconds"),
        memoryPeakBytes: sums.memoryPeakBytes.as("memory_peak_bytes"),
        diskPeakBytes: sums.diskPeakBytes.as("disk_peak_bytes"),
        networkReceivedBytes: sums.networkReceivedBytes.as("network_received_bytes"),
        networkSentBytes: sums.networkSentBytes.as("network_sent_bytes"),
        sandboxCount: sql`count(*) over ()`.mapWith(Number).as("sandbox_count"),
      })
      .from(usageBuckets)
      .where(chosen(filter))
      .groupBy(usageBuckets.sandboxId)
      .as("used");

  return {
    /** The buckets of one sandbox, or of all that the filter chooses, in the order of time. */
    async listBuckets(
      filter: UsageFilter,
      sandboxId?: string,
    ): Promise<({ start: Date } & UsageSums)[]> {
      const start =
        filter.period.interval === "hour"
          ? sql`${usageBuckets.startsAt}`.mapWith(usageBuckets.startsAt)
          : sql`date_trunc('day', ${usageBuckets.startsAt}, 'UTC')`.mapWith(usageBuckets.startsAt);
      return database
        .select({ start, ...sums })
        .from(usageBuckets)
        .where(
          and(
            chosen(filter),
            sandboxId === undefined ? undefined : eq(usageBuckets.sandboxId, sandboxId),
          ),
        )
        .groupBy(start)
        .orderBy(asc(start));
    },

    /** A page of sandboxes, those that took the most CPU time first, and how many the filter chooses. */
    async listSandboxes(filter: UsageFilter, page: Page) {
      const used = bySandbox(filter);
      const rows = await database
        .select({
          key: used.sandboxId,
          runningMilliseconds: used.runningMilliseconds,
          cpuMilliseconds: used.cpuMilliseconds,
          memoryMBSeconds: used.memoryMBSeconds,
          memoryPeakBytes: used.memoryPeakBytes,
          diskPeakBytes: used.diskPeakBytes,
          networkReceivedBytes: used.networkReceivedBytes,
          networkSentBytes: used.networkSentBytes,
          state: sandboxes.state,
          tags: sql<Record<string, string>>`coalesce(${tagsOf}, '{}')`,
          sandboxCount: used.sandboxCount,
        })
        .from(used)
        .leftJoin(sandboxes, eq(sandboxes.id, used.sandboxId))
        .leftJoin(usageSandboxes, eq(usageSandboxes.sandboxId, used.sandboxId))
        .where(isAfter(sql`${used.sandboxId}`, sql`${used.cpuMilliseconds}`, page.after))
        .orderBy(desc(used.cpuMilliseconds), asc(used.sandboxId))
        .limit(page.limit);
      const [first] = rows;
      if (first !== undefined || page.after === undefined) {
        return { rows, sandboxCount: first?.sandboxCount ?? 0 };
      }
      // Nothing comes after the place any more.
      const { length: sandboxCount } = await database.select({ id: used.sandboxId }).from(used);
      return { rows, sandboxCount };
    },

    /** A page of the values of a tag, as {@link listSandboxes}. */
    async listTagValues(filter: UsageFilter, tagKey: string, { after, limit }: Page) {
      const used = bySandbox(filter);
      const value = sql<string | null>`${tagsOf} ->> ${tagKey}::text`.as("value");
      const tagged = database
        .select({ sandboxId: usageSandboxes.sandboxId, value })
        .from(usageSandboxes)
        .leftJoin(sandboxes, eq(sandboxes.id, usageSandboxes.sandboxId))
        .where(eq(usageSandboxes.orgId, filter.orgId))
        .as("tagged");
      const cpuMilliseconds = sum(used.cpuMilliseconds).mapWith(Number);
      return database
        .select({
          key: tagged.value,
          sandboxCount: count(),
          runningMilliseconds: sum(used.runningMilliseconds).mapWith(Number),
          cpuMilliseconds,
          memoryMBSeconds: sum(used.memoryMBSeconds).mapWith(Number),
          memoryPeakBytes: sql`max(${used.memoryPeakBytes})`.mapWith(Number),
          diskPeakBytes: sql`max(${used.diskPeakBytes})`.mapWith(Number),
          networkReceivedBytes: sum(used.networkReceivedBytes).mapWith(Number),
          networkSentBytes: sum(used.networkSentBytes).mapWith(Number),
        })
        .from(used)
        .innerJoin(tagged, eq(tagged.sandboxId, used.sandboxId))
        .groupBy(tagged.value)
        .having(isAfter(sql`${tagged.value}`, sql`${cpuMilliseconds}`, after))
        .orderBy(desc(cpuMilliseconds), sql`${tagged.value} asc nulls last`)
        .limit(limit);
    },

    /** The latest reading of the machine that a sandbox has now. */
    async readCurrent(orgId: string, machineId: string) {
      const [row] = await database
        .select()
        .from(machineUsage)
        .where(
          and(
            eq(machineUsage.orgId, orgId),
            eq(machineUsage.machineId, machineId),
            eq(machineUsage.hasEnded, false),
          ),
        );
      return row;
    },

    /** The latest readings of the org's running sandboxes with all of the tags, together. */
    async sumCurrent(orgId: string, tags: Record<string, string>) {
      const [row] = await database
        .select({
          runningCount: count(),
          cpuPercent: sql`coalesce(sum(${machineUsage.cpuPercent}), 0)`.mapWith(Number),
          memoryBytes: sql`coalesce(sum(${machineUsage.memoryBytes}), 0)`.mapWith(Number),
          diskBytes: sql`coalesce(sum(${machineUsage.diskBytes}), 0)`.mapWith(Number),
        })
        .from(sandboxes)
        .leftJoin(
          machineUsage,
          and(eq(machineUsage.machineId, sandboxes.machineId), eq(machineUsage.hasEnded, false)),
        )
        .where(
          and(
            eq(sandboxes.orgId, orgId),
            eq(sandboxes.purpose, "user"),
            inArray(sandboxes.state, statesByStatus.running),
            isEmpty(tags) ? undefined : hasTags(sql`${sandboxes.tags}`, tags),
          ),
        );
      return row ?? { runningCount: 0, cpuPercent: 0, memoryBytes: 0, diskBytes: 0 };
    },

    /** Whether there is usage of a sandbox, whose row may have been deleted. */
    async has(orgId: string, sandboxId: string): Promise<boolean> {
      if (!sandboxIdPattern.test(sandboxId)) return false;
      const rows = await database
        .select({ startsAt: usageBuckets.startsAt })
        .from(usageBuckets)
        .where(and(eq(usageBuckets.orgId, orgId), eq(usageBuckets.sandboxId, sandboxId)))
        .limit(1);
      return rows.length > 0;
    },
  };
}
export type UsageRepository = ReturnType<typeof createUsageRepository>;

function isEmpty(tags: Record<string, string>): boolean {
  return Object.keys(tags).length === 0;
}

function hasTags(tags: SQL, wanted: Record<string, string>): SQL {
  return sql`${tags} @> ${JSON.stringify(wanted)}::jsonb`;
}

/** Whether a row comes after a place, which is one of the same list. */
function isAfter(key: SQL, cpuMilliseconds: SQL, place: UsagePlace | undefined): SQL | undefined {
  if (place === undefined) return undefined;
  const uses = sql`${place.cpuMilliseconds}::numeric`;
  const hasLess = sql`${cpuMilliseconds} < ${uses}`;
  if (place.key === null) return hasLess;
  return or(
    hasLess,
    sql`${cpuMilliseconds} = ${uses} and (${key} > ${place.key} or ${key} is null)`,
  );
}
