import cors from "@fastify/cors";
import { idempotencyKeyHeader, WireError } from "@opencomputer/protocol/api";
import { traceParentHeader } from "@opencomputer/protocol/wire";
import { type HostPolicy, quoted } from "./host-policy.ts";
import type { ApiServer } from "./web-sockets.ts";

/** How long a browser may keep what a preflight permitted. */
const preflightSeconds = 600;

/**
 * Lets the pages of listed origins call the API (Fetch, "CORS protocol"), with
 * a key that they send themselves: no cookie is accepted, so none is asked for.
 * A preflight of any other page is refused with what would permit it.
 */
export function addCrossOrigin(app: ApiServer, hostPolicy: HostPolicy): void {
  app.addHook("onRequest", async ({ method, headers }) => {
    const { origin } = headers;
    const isPreflight =
      method === "OPTIONS" && headers["access-control-request-method"] !== undefined;
    if (!isPreflight || origin === undefined || hostPolicy.isCorsOrigin(origin)) return;
    throw new WireError(
      "origin_not_allowed",
      `A page of ${quoted(origin)} may not call this service: have its origin added to OPENCOMPUTER_CORS_ORIGINS, or serve the page under the service's own`,
      { remediation: "OPENCOMPUTER_CORS_ORIGINS" },
    );
  });
  app.register(cors, {
    origin: (origin, decide) =>
      decide(null, origin !== undefined && hostPolicy.isCorsOrigin(origin)),
    methods: ["GET", "POST", "PUT", "PATCH", "DELETE"],
    allowedHeaders: [
      ...["X-API-Key", "Content-Type", "Last-Event-ID"],
      ...[idempotencyKeyHeader, traceParentHeader],
    ],
    exposedHeaders: ["Retry-After"],
    maxAge: preflightSeconds,
  });
}
