import { Counter, Histogram, type Registry } from "prom-client";
import { toWireError } from "../to-wire-error.ts";
import { durationBuckets } from "./duration-buckets.ts";

/** Only the code of an error is counted. */
const texts = { bodyTooLarge: "", pathPartTooLong: "", internal: "" };

/** Hooks of Fastify that count the requests of an HTTP API. */
export interface RequestMetrics {
  onError(request: object, reply: unknown, error: Error): Promise<void>;
  onResponse(
    request: { method: string; routeOptions: { url?: string | undefined }; ws?: boolean },
    reply: { statusCode: number; elapsedTime: number },
  ): Promise<void>;
}

/**
 * Counts requests by route and by outcome, which is `ok` or the code of the
 * error, and measures how long they take. Only routes of the API become labels,
 * never a path, so that callers do not decide how much is kept.
 *
 * @param prefix Of the names of the metrics, such as `opencomputer_api`.
 */
export function createRequestMetrics(registry: Registry, prefix: string): RequestMetrics {
  const requests = new Counter({
    name: `${prefix}_requests_total`,
    help: "Requests by route and outcome: ok, or the code of the error",
    labelNames: ["method", "route", "code"],
    registers: [registry],
  });
  const durations = new Histogram({
    name: `${prefix}_request_duration_seconds`,
    help: "Time from a request's head to the end of its response",
    labelNames: ["method", "route"],
    buckets: durationBuckets,
    registers: [registry],
  });
  const codes = new WeakMap<object, string>();

  return {
    async onError(request, _reply, error) {
      codes.set(request, toWireError(error, texts).code);
    },
    async onResponse(request, reply) {
      // A WebSocket lasts as long as its client wants.
      if (request.ws === true) return;
      const { url } = request.routeOptions;
      const labels =
        url === undefined
          ? { method: "none", route: "none" }
          : { method: request.method, route: url };
      const status = reply.statusCode;
      const code = codes.get(request) ?? (status < 400 ? "ok" : `http_${status}`);
      requests.inc({ ...labels, code });
      durations.observe(labels, reply.elapsedTime / 1000);
    },
  };
}
