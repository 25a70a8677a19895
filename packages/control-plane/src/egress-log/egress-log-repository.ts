import { type EgressEntry, type EgressPage, sandboxIdPattern } from "@opencomputer/protocol/api";
import type { Database } from "../database/database.ts";
import {
  and,
  asc,
  count,
  desc,
  eq,
  gt,
  lt,
  max,
  min,
  type SQL,
  sql,
  sum,
} from "../database/query-builder.ts";
import { type EgressLogRow, egressLog } from "../database/schema.ts";

/** Which entries of a sandbox to read. */
export interface EgressFilter {
  isRefused: boolean;
  /** A canonical host, or `*.` and a suffix. */
  hostPattern: string | undefined;
}

/** How often a sandbox did something. */
export interface EgressUse
  extends Pick<EgressLogRow, "protocol" | "host" | "port" | "decision" | "wasSent"> {
  count: number;
}

/** A secret, and where its value was sent. */
export interface SecretUse extends Pick<EgressLogRow, "protocol" | "host" | "port"> {
  name: string;
}

/** The log of one sandbox in sums. */
export interface EgressSummary {
  uses: EgressUse[];
  secretUses: SecretUse[];
  exchangeCount: number;
  leftOutCount: number;
  since: Date | null;
}

/** Reads the egress logs of an org's sandboxes, also of those that have been killed. */
export function createEgressLogRepository(database: Database) {
  const ofSandbox = (orgId: string, sandboxId: string) =>
    and(eq(egressLog.orgId, orgId), eq(egressLog.sandboxId, sandboxId));
  const single = eq(egressLog.leftOut, 0);

  return {
    /**
     * Reads a page: the entries after the cursor, the oldest first, or in order `desc` those
     * before it, the newest first. Without a cursor it starts at that end.
     */
    async list(
      orgId: string,
      sandboxId: string,
      filter: EgressFilter,
      page: { cursor: number | undefined; order: "asc" | "desc"; limit: number },
    ): Promise<EgressPage> {
      const { cursor, order, limit } = page;
      const isAscending = order === "asc";
      const beyond = isAscending ? gt : lt;
      const rows = await database
        .select()
        .from(egressLog)
        .where(
          and(
            ofSandbox(orgId, sandboxId),
            cursor === undefined ? undefined : beyond(egressLog.id, cursor),
            filter.isRefused ? eq(egressLog.decision, "refused") : undefined,
            filter.hostPattern === undefined ? undefined : hostMatches(filter.hostPattern),
          ),
        )
        .orderBy(isAscending ? asc(egressLog.id) : desc(egressLog.id))
        .limit(limit + 1);
      const shown = rows.slice(0, limit);
      const last = shown.at(-1)?.id ?? cursor ?? 0;
      return { entries: shown.map(toEntry), cursor: String(last), hasMore: rows.length > limit };
    },

    /** The cursor after every entry of the sandbox. */
    async end(orgId: string, sandboxId: string): Promise<number> {
      const [row] = await database
        .select({ last: max(egressLog.id) })
        .from(egressLog)
        .where(ofSandbox(orgId, sandboxId));
      return row?.last ?? 0;
    },

    /** Whether there are entries of a sandbox, whose row may have been deleted. */
    async has(orgId: string, sandboxId: string): Promise<boolean> {
      if (!sandboxIdPattern.test(sandboxId)) return false;
      const rows = await database
        .select({ id: egressLog.id })
        .from(egressLog)
        .where(ofSandbox(orgId, sandboxId))
        .limit(1);
      return rows.length > 0;
    },

    async summarize(orgId: string, sandboxId: string): Promise<EgressSummary> {
      const { protocol, host, port, decision, wasSent } = egressLog;
      const uses = await database
        .select({ protocol, host, port, decision, wasSent, count: count() })
        .from(egressLog)
        .where(and(ofSandbox(orgId, sandboxId), single))
        .groupBy(protocol, host, port, decision, wasSent);
      const name = sql<string>`substituted ->> 'name'`;
      const secretUses = await database
        .selectDistinct({ name, protocol, host, port })
        .from(egressLog)
        .innerJoin(
          sql`jsonb_array_elements(${egressLog.secrets} -> 'substituted') as substituted`,
          sql`true`,
        )
        .where(and(ofSandbox(orgId, sandboxId), single));
      const [total] = await database
        .select({
          leftOutCount: sum(egressLog.leftOut).mapWith(Number),
          since: min(egressLog.time),
        })
        .from(egressLog)
        .where(ofSandbox(orgId, sandboxId));
      return {
        ...{ uses, secretUses },
        exchangeCount: uses.reduce((number, use) => number + use.count, 0),
        leftOutCount: total?.leftOutCount ?? 0,
        since: total?.since ?? null,
      };
    },
  };
}
export type EgressLogRepository = ReturnType<typeof createEgressLogRepository>;

function hostMatches(pattern: string): SQL {
  if (!pattern.startsWith("*.")) return sql`${egressLog.host} = ${pattern}`;
  const suffix = pattern.slice(1);
  return sql`right(${egressLog.host}, ${suffix.length}) = ${suffix} and length(${egressLog.host}) > ${suffix.length}`;
}

export function toEntry(row: EgressLogRow): EgressEntry {
  const { protocol, host, port, decision, status, leftOut, secrets } = row;
  return {
    id: `${row.instanceId}-${row.sequence}`,
    cursor: String(row.id),
    time: row.time.toISOString(),
    ...{ protocol, host, port, decision, status, leftOut, secrets },
    ...row.shown,
  };
}
