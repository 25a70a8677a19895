import type { IncomingHttpHeaders, ServerResponse } from "node:http";
import { sandboxIdSchema } from "@opencomputer/protocol/api";
import { parseTraceParent, traceParentHeader } from "@opencomputer/protocol/wire";
import { z } from "zod";
import { toWireError } from "../to-wire-error.ts";
import { runInTrace } from "./current-trace.ts";
import { type OpenSpan, type Tracer, unrecordedSpans } from "./tracer.ts";

/** Only the code of an error is kept. */
const texts = { bodyTooLarge: "", pathPartTooLong: "", internal: "" };
const paramsSchema = z.object({ id: sandboxIdSchema }).or(z.object({ sandboxId: sandboxIdSchema }));

interface TracedRequest {
  method: string;
  headers: IncomingHttpHeaders;
  params: unknown;
  routeOptions: { url?: string | undefined };
}

interface RequestSpan extends OpenSpan {
  code?: string;
}

/** Hooks of Fastify that serve each request of an HTTP API in a span. */
export interface RequestTraces {
  onRequest(request: TracedRequest, reply: { raw: ServerResponse }, done: () => void): void;
  /** The body was read in the context of its connection, so the trace is entered again. */
  preValidation(request: object, reply: unknown, done: () => void): void;
  onError(request: object, reply: unknown, error: Error): Promise<void>;
  /** Enters the trace again for the hooks that log the response: add it before them. */
  onResponse(request: object, reply: unknown, done: () => void): void;
}

/**
 * Serves each request in a span, named by its method and route: in the
 * trace that the caller's `traceparent` states, or in a new one. A
 * WebSocket has no span, as it lasts as long as its client wants; its log lines
 * have the trace all the same.
 *
 * @param options.begins Which routes begin a trace for a request without a `traceparent`.
 */
export function createRequestTraces(
  tracer: Tracer,
  options: { begins: (route: string) => boolean },
): RequestTraces {
  const spans = new WeakMap<object, RequestSpan>();

  function begin({ method, headers, params, routeOptions }: TracedRequest) {
    const { url: route } = routeOptions;
    if (route === undefined) return undefined;
    const parent = parseTraceParent(headers[traceParentHeader]);
    if (parent === undefined && !options.begins(route)) return undefined;
    const source = headers.upgrade === undefined ? tracer : unrecordedSpans;
    const attributes = { method, route, sandboxId: sandboxOf(params) };
    return source.start({ name: `${method} ${route}`, kind: "server", parent, attributes });
  }

  function enter(request: object, done: () => void): void {
    const span = spans.get(request);
    if (span === undefined) done();
    else runInTrace(span.context, done);
  }

  return {
    onRequest(request, { raw }, done) {
      const span: RequestSpan | undefined = begin(request);
      if (span !== undefined) {
        spans.set(request, span);
        raw.once("close", () => endSpan(span, raw));
      }
      enter(request, done);
    },
    preValidation: (request, _reply, done) => enter(request, done),
    async onError(request, _reply, error) {
      const span = spans.get(request);
      if (span !== undefined) span.code = toWireError(error, texts).code;
    },
    onResponse: (request, _reply, done) => enter(request, done),
  };
}

function endSpan(span: RequestSpan, { statusCode, writableFinished }: ServerResponse): void {
  if (!writableFinished) {
    span.end({ code: span.code ?? "client_closed", isFailure: false });
    return;
  }
  const code = span.code ?? (statusCode < 400 ? "ok" : `http_${statusCode}`);
  span.end({ code, isFailure: statusCode >= 500, attributes: { statusCode } });
}

/** The sandbox that a path names; any other part of a path is text of the caller. */
function sandboxOf(params: unknown): string | undefined {
  const parsed = paramsSchema.safeParse(params);
  if (!parsed.success) return undefined;
  return "id" in parsed.data ? parsed.data.id : parsed.data.sandboxId;
}
