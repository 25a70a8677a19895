import {
  type CurrentUsage,
  defaults,
  type OrgUsage,
  type OrgUsageQuery,
  type SandboxUsage,
  type TagUsage,
  type UsageBucket,
  type UsageQuery,
  type UsageTotal,
} from "@opencomputer/protocol/api";
import { sandboxNotFound } from "../sandboxes/rows/find-sandbox.ts";
import type { SandboxRepository, SandboxRow } from "../sandboxes/rows/sandbox-repository.ts";
import { statusOf } from "../sandboxes/rows/sandbox-states.ts";
import { type UsagePeriod, usagePeriodOf } from "./usage-period.ts";
import type { UsageFilter, UsagePlace, UsageRepository, UsageSums } from "./usage-repository.ts";

/**
 * What sandboxes use of their hosts, now and over time, as the API's callers see it: also of
 * sandboxes that were killed.
 */
export interface UsageService {
  /** @throws {WireError} `sandbox_not_found`, `invalid_request` */
  ofSandbox(orgId: string, sandboxId: string, query: UsageQuery): Promise<SandboxUsage>;
  /** @throws {WireError} `invalid_request` */
  ofOrg(orgId: string, query: OrgUsageQuery): Promise<OrgUsage>;
  /** @throws {WireError} `invalid_request` */
  ofTag(orgId: string, key: string, query: OrgUsageQuery): Promise<TagUsage>;
}

export function createUsageService(deps: {
  usage: UsageRepository;
  sandboxes: SandboxRepository;
  /** Reads the usage of all machines, unless it was read a moment ago. Never rejects. */
  refresh: () => Promise<void>;
  now: () => number;
}): UsageService {
  const { usage, sandboxes, refresh } = deps;
  const now = () => new Date(deps.now());

  async function currentOf(sandbox: SandboxRow): Promise<CurrentUsage | null> {
    const { orgId, state, machineId, hibernatedBytes } = sandbox;
    if (state === "hibernated" && hibernatedBytes !== null) {
      const nothing = { uptimeSeconds: 0, cpuPercent: 0, memoryBytes: 0 };
      return { readAt: now().toISOString(), ...nothing, diskBytes: hibernatedBytes };
    }
    if (statusOf(state) !== "running" || machineId === null) return null;
    const reading = await usage.readCurrent(orgId, machineId);
    if (reading === undefined) return null;
    const { readAt, startedAt, cpuPercent, memoryBytes, diskBytes } = reading;
    const uptimeSeconds = Math.max(0, readAt.getTime() - startedAt.getTime()) / 1000;
    return { readAt: readAt.toISOString(), uptimeSeconds, cpuPercent, memoryBytes, diskBytes };
  }

  function filterOf(orgId: string, { tag, ...query }: OrgUsageQuery): UsageFilter {
    const period = usagePeriodOf(query, now());
    return { orgId, period, tags: Object.fromEntries(tag ?? []) };
  }

  function describePeriod({ since, until, interval }: UsagePeriod) {
    const end = Math.min(until.getTime(), Math.max(since.getTime(), deps.now()));
    return { since: since.toISOString(), until: new Date(end).toISOString(), interval };
  }

  return {
    async ofSandbox(orgId, sandboxId, query) {
      const period = usagePeriodOf(query, now());
      await refresh();
      const sandbox = await sandboxes.find(orgId, sandboxId);
      const isShown = sandbox?.purpose === "user" && sandbox.state !== "creating";
      const wasKilled = sandbox === undefined && (await usage.has(orgId, sandboxId));
      if (!isShown && !wasKilled) throw sandboxNotFound(sandboxId);
      const buckets = await usage.listBuckets({ orgId, period, tags: {} }, sandboxId);
      return {
        sandboxID: sandboxId,
        status: sandbox === undefined ? "stopped" : statusOf(sandbox.state),
        ...describePeriod(period),
        current: sandbox === undefined ? null : await currentOf(sandbox),
        total: totalOf(buckets),
        buckets: buckets.map(toBucket),
      };
    },

    async ofOrg(orgId, query) {
      const filter = filterOf(orgId, query);
      await refresh();
      const limit = query.limit ?? defaults.usageRowsPerPage;
      const [buckets, current, { rows, sandboxCount }] = await Promise.all([
        usage.listBuckets(filter),
        usage.sumCurrent(orgId, filter.tags),
        usage.listSandboxes(filter, { after: placeOf(query.cursor), limit: limit + 1 }),
      ]);
      return {
        ...describePeriod(filter.period),
        current: { ...current, cpuPercent: Math.round(current.cpuPercent * 10) / 10 },
        sandboxCount,
        total: totalOf(buckets),
        buckets: buckets.map(toBucket),
        sandboxes: rows.slice(0, limit).map(({ key, state, tags, sandboxCount: _, ...sums }) => ({
          sandboxID: key,
          status: state === null ? "stopped" : statusOf(state),
          tags,
          ...toUsage(sums),
        })),
        cursor: cursorAfter(rows, limit),
      };
    },

    async ofTag(orgId, key, query) {
      const filter = filterOf(orgId, query);
      await refresh();
      const limit = query.limit ?? defaults.usageRowsPerPage;
      const page = { after: placeOf(query.cursor), limit: limit + 1 };
      const rows = await usage.listTagValues(filter, key, page);
      return {
        ...describePeriod(filter.period),
        key,
        values: rows.slice(0, limit).map(({ key: value, sandboxCount, ...sums }) => ({
          ...{ value, sandboxCount },
          ...toUsage(sums),
        })),
        cursor: cursorAfter(rows, limit),
      };
    },
  };
}

function placeOf(cursor: string | undefined): UsagePlace | undefined {
  if (cursor === undefined) return undefined;
  const end = cursor.indexOf(":");
  return end === -1
    ? { cpuMilliseconds: Number(cursor), key: null }
    : { cpuMilliseconds: Number(cursor.slice(0, end)), key: cursor.slice(end + 1) };
}

/** The cursor of the next page; null after the last. `rows` has one row more than the page if there is another page. */
function cursorAfter(rows: readonly UsagePlace[], limit: number): string | null {
  const last = rows[limit - 1];
  if (rows.length <= limit || last === undefined) return null;
  return last.key === null ? String(last.cpuMilliseconds) : `${last.cpuMilliseconds}:${last.key}`;
}

function totalOf(buckets: readonly UsageSums[]): UsageTotal {
  const total = (name: keyof UsageSums) => buckets.reduce((sum, bucket) => sum + bucket[name], 0);
  const peak = (name: keyof UsageSums) => Math.max(0, ...buckets.map((bucket) => bucket[name]));
  return toUsage({
    runningMilliseconds: total("runningMilliseconds"),
    cpuMilliseconds: total("cpuMilliseconds"),
    memoryMBSeconds: total("memoryMBSeconds"),
    memoryPeakBytes: peak("memoryPeakBytes"),
    diskPeakBytes: peak("diskPeakBytes"),
    networkReceivedBytes: total("networkReceivedBytes"),
    networkSentBytes: total("networkSentBytes"),
  });
}

function toBucket({ start, ...sums }: { start: Date } & UsageSums): UsageBucket {
  return { start: start.toISOString(), ...toUsage(sums) };
}

function toUsage({ runningMilliseconds, cpuMilliseconds, ...others }: UsageSums): UsageTotal {
  return {
    runningSeconds: runningMilliseconds / 1000,
    cpuSeconds: cpuMilliseconds / 1000,
    ...others,
  };
}
