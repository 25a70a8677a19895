import {
  type OrgUsageQuery,
  orgUsageQuerySchema,
  orgUsageSchema,
  sandboxUsageSchema,
  tagUsageParamsSchema,
  tagUsageSchema,
  type UsageQuery,
  type UsageTotal,
  usageQuerySchema,
} from "@opencomputer/protocol/api";
import { type Exchange, parseOrRefuse, type Route } from "./route.ts";
import { type FakeSandbox, findKnownSandbox, type SandboxState } from "./sandbox-routes.ts";

/** What each sandbox of the contract server has used. */
const used: UsageTotal = {
  runningSeconds: 3600,
  cpuSeconds: 450,
  memoryMBSeconds: 1_843_200,
  memoryPeakBytes: 536_870_912,
  diskPeakBytes: 1_048_576,
  networkReceivedBytes: 2048,
  networkSentBytes: 1024,
};
const current = { cpuPercent: 12.5, memoryBytes: 268_435_456, diskBytes: 1_048_576 };

/** The usage of the contract server's sandboxes. */
export function usageRoutes(sandboxes: SandboxState): Route[] {
  const chosenBy = ({ tag = [] }: OrgUsageQuery) =>
    [...sandboxes.values()].filter(({ detail }) =>
      tag.every(([key, value]) => detail.tags[key] === value),
    );

  return [
    {
      method: "GET",
      path: "/sandboxes/:id/usage",
      async handle(exchange) {
        const { detail } = findKnownSandbox(sandboxes, exchange);
        const query = parseOrRefuse(usageQuerySchema, Object.fromEntries(exchange.query));
        const period = periodOf(query);
        const isRunning = detail.status === "running";
        await exchange.respond(200, sandboxUsageSchema, {
          ...{ sandboxID: detail.sandboxID, status: detail.status, ...period },
          current: isRunning ? { readAt: period.until, uptimeSeconds: 3600, ...current } : null,
          total: used,
          buckets: [{ start: period.since, ...used }],
        });
      },
    },
    {
      method: "GET",
      path: "/usage",
      async handle(exchange) {
        const query = readQuery(exchange);
        const chosen = chosenBy(query);
        const period = periodOf(query);
        const total = sumOf(chosen);
        const { rows, cursor } = pageOf(chosen, query, ({ detail }) => detail.sandboxID);
        await exchange.respond(200, orgUsageSchema, {
          ...period,
          current: { runningCount: chosen.length, ...current },
          sandboxCount: chosen.length,
          total,
          buckets: [{ start: period.since, ...total }],
          sandboxes: rows.map(({ detail: { sandboxID, status, tags } }) => ({
            ...{ sandboxID, status, tags },
            ...used,
          })),
          cursor,
        });
      },
    },
    {
      method: "GET",
      path: "/usage/tags/:key",
      async handle(exchange) {
        const { key } = parseOrRefuse(tagUsageParamsSchema, { key: exchange.parameter("key") });
        const query = readQuery(exchange);
        const byValue = new Map<string | null, FakeSandbox[]>();
        for (const sandbox of chosenBy(query)) {
          const value = sandbox.detail.tags[key] ?? null;
          byValue.set(value, [...(byValue.get(value) ?? []), sandbox]);
        }
        const { rows, cursor } = pageOf([...byValue], query, ([value]) => value ?? "");
        await exchange.respond(200, tagUsageSchema, {
          ...{ ...periodOf(query), key, cursor },
          values: rows.map(([value, own]) => ({
            ...{ value, sandboxCount: own.length },
            ...sumOf(own),
          })),
        });
      },
    },
  ];
}

function readQuery({ query }: Exchange): OrgUsageQuery {
  const tag = query.getAll("tag");
  const given = { ...Object.fromEntries(query), ...(tag.length === 0 ? {} : { tag }) };
  return parseOrRefuse(orgUsageQuerySchema, given);
}

function periodOf({ since, until, interval = "hour" }: UsageQuery) {
  return {
    since: since ?? "2026-01-02T03:00:00.000Z",
    until: until ?? "2026-01-02T04:00:00.000Z",
    interval,
  };
}

/** Rows after the cursor, in the order in which they were made. */
function pageOf<Row>(
  all: readonly Row[],
  { cursor, limit = 100 }: OrgUsageQuery,
  keyOf: (row: Row) => string,
) {
  const after = cursor?.slice(cursor.indexOf(":") + 1);
  const rest = all.slice(all.findIndex((row) => keyOf(row) === after) + 1);
  const rows = rest.slice(0, limit);
  const last = rows.at(-1);
  const hasMore = rest.length > limit && last !== undefined;
  return { rows, cursor: hasMore ? `450000:${keyOf(last)}` : null };
}

function sumOf(sandboxes: readonly FakeSandbox[]): UsageTotal {
  const { memoryPeakBytes, diskPeakBytes } = used;
  const count = sandboxes.length;
  return {
    runningSeconds: used.runningSeconds * count,
    cpuSeconds: used.cpuSeconds * count,
    memoryMBSeconds: used.memoryMBSeconds * count,
    memoryPeakBytes: count === 0 ? 0 : memoryPeakBytes,
    diskPeakBytes: count === 0 ? 0 : diskPeakBytes,
    networkReceivedBytes: used.networkReceivedBytes * count,
    networkSentBytes: used.networkSentBytes * count,
  };
}
