import {
  type EgressEntry,
  egressExplanationSchema,
  egressLogQuerySchema,
  egressPageSchema,
  egressSuggestionSchema,
  explainEgressQuerySchema,
  followEgressHeadersSchema,
} from "@opencomputer/protocol/api";
import { type Exchange, parseOrRefuse, type Route } from "./route.ts";
import { findKnownSandbox, findSandbox, type SandboxState } from "./sandbox-routes.ts";

const secrets: EgressEntry["secrets"] = {
  substituted: [{ name: "KEY", places: ["header authorization"] }],
  withheld: [{ name: "OTHER", place: "body", reason: "host" }],
  redacted: [{ name: "KEY", count: 2 }],
  leaked: [],
  foreignTokens: 0,
};
const noSecrets: EgressEntry["secrets"] = {
  ...{ substituted: [], withheld: [], redacted: [], leaked: [], foreignTokens: 0 },
};

/** What every sandbox of the contract server has in its egress log. */
const entries: readonly EgressEntry[] = [
  {
    ...{ id: "00000000-0000-4000-8000-000000000000-1", cursor: "1" },
    ...{ time: "2026-01-02T03:04:05.678Z", protocol: "https", host: "api.example.com", port: 443 },
    ...{ method: "POST", path: "/v1", decision: "allowed", reason: null, status: 200, secrets },
    ...{ requestBytes: 10, responseBytes: 2048, durationMilliseconds: 12.5, leftOut: 0 },
  },
  {
    ...{ id: "00000000-0000-4000-8000-000000000000-2", cursor: "2" },
    ...{ time: "2026-01-02T03:04:06.000Z", protocol: "dns", host: "evil.example.org", port: 53 },
    ...{ method: null, path: null, decision: "refused", reason: "not on the list", status: null },
    ...{ secrets: noSecrets, requestBytes: 0, responseBytes: 0, durationMilliseconds: 0 },
    leftOut: 0,
  },
];

/** The egress logs of the contract server's sandboxes. */
export function egressRoutes(sandboxes: SandboxState): Route[] {
  return [
    {
      method: "GET",
      path: "/sandboxes/:id/egress",
      async handle(exchange) {
        findKnownSandbox(sandboxes, exchange);
        const query = readQuery(exchange);
        const chosen = entries.filter(
          ({ decision, host }) =>
            (query.refused !== true || decision === "refused") &&
            (query.host === undefined || query.host === host),
        );
        if (exchange.request.headers.accept === "text/event-stream") {
          return stream(exchange, chosen, query.cursor);
        }
        const { cursor, order = "asc", limit = 100 } = query;
        const ordered = order === "asc" ? chosen : chosen.toReversed();
        const found = ordered.filter(
          (entry) =>
            cursor === undefined ||
            (order === "asc"
              ? Number(entry.cursor) > Number(cursor)
              : Number(entry.cursor) < Number(cursor)),
        );
        const shown = found.slice(0, limit);
        await exchange.respond(200, egressPageSchema, {
          entries: shown,
          cursor: shown.at(-1)?.cursor ?? cursor ?? "0",
          hasMore: found.length > limit,
        });
      },
    },
    {
      method: "GET",
      path: "/sandboxes/:id/egress/explain",
      async handle(exchange) {
        findSandbox(sandboxes, exchange);
        const { url, method = "GET" } = parseOrRefuse(
          explainEgressQuerySchema,
          Object.fromEntries(exchange.query),
        );
        await exchange.respond(200, egressExplanationSchema, {
          ...{ decision: "allowed", rule: "allowlist_entry", entry: "*.example.com" },
          ...{ reason: "the egress allowlist has *.example.com", protocol: "https" },
          ...{ host: new URL(url).hostname, port: 443, method },
          secrets: [
            { name: "KEY", substituteIn: ["header", "body"], withheld: null, allowedHosts: [] },
            {
              ...{ name: "OTHER", substituteIn: [], withheld: "host" },
              allowedHosts: ["other.example.com"],
            },
          ],
        });
      },
    },
    {
      method: "GET",
      path: "/sandboxes/:id/egress/suggestion",
      async handle(exchange) {
        findKnownSandbox(sandboxes, exchange);
        await exchange.respond(200, egressSuggestionSchema, {
          egressAllowlist: ["api.example.com"],
          perSecretAllowedHosts: { KEY: ["api.example.com"] },
          refused: [{ entry: "evil.example.org", count: 1 }],
          unreached: [{ entry: "typo.example.com", count: 3 }],
          ...{ exchangeCount: 2, since: "2026-01-02T03:04:05.678Z", isIncomplete: false },
        });
      },
    },
  ];
}

/** Responds with those after the cursor, and then waits as the service does. */
function stream(
  { request, response }: Exchange,
  chosen: readonly EgressEntry[],
  cursor: string | undefined,
): void {
  const headers = parseOrRefuse(followEgressHeadersSchema, request.headers);
  const after = Number(headers["last-event-id"] ?? cursor ?? entries.length);
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.write(": open\n\n");
  for (const entry of chosen) {
    if (Number(entry.cursor) <= after) continue;
    response.write(`id: ${entry.cursor}\ndata: ${JSON.stringify(entry)}\n\n`);
  }
}

function readQuery({ query }: Exchange) {
  return parseOrRefuse(egressLogQuerySchema, Object.fromEntries(query));
}
