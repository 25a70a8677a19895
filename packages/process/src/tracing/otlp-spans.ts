import { serviceLimits, type TraceContext, type TraceSettings } from "@opencomputer/protocol/wire";
import {
  type Attributes,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
} from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { defaultResource, resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import type { Logger } from "pino";
import { runOutsideTraces } from "./current-trace.ts";
import { reportFailures } from "./report-failures.ts";
import { createSampler } from "./sampler.ts";
import type { SpanAttributes, SpanSource } from "./tracer.ts";

/** Exports of a flush that are under way at a time. */
const exportsMax = 5;

const kinds = {
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  internal: SpanKind.INTERNAL,
} as const;

export interface OtlpOptions {
  /** Where spans are sent, by OTLP over HTTP. */
  readonly url: string;
  /** Headers of each export, which are secret. */
  readonly headers: Readonly<Record<string, string>>;
  /** CAs in PEM form that are trusted instead of Node's. */
  readonly roots: readonly string[] | undefined;
  readonly exportMilliseconds: number;
  readonly sampler: TraceSettings["OTEL_TRACES_SAMPLER"];
  /** From 0 to 1. */
  readonly sampledShare: number;
  readonly serviceName: string;
  readonly resourceAttributes: Readonly<Record<string, string>>;
  readonly log: Pick<Logger, "warn">;
}

/**
 * Spans of OpenTelemetry's SDK, which are sent in the background. While the
 * receiver takes none, a bounded number of them waits and the others are dropped.
 */
export function openOtlpSpans(options: OtlpOptions): SpanSource & { close(): Promise<void> } {
  const { url, headers, roots, exportMilliseconds, serviceName, resourceAttributes, log } = options;
  const exporter = new OTLPTraceExporter({
    ...{ url, headers: { ...headers } },
    httpAgentOptions: { keepAlive: true, ...(roots === undefined ? {} : { ca: [...roots] }) },
    timeoutMillis: exportMilliseconds,
    concurrencyLimit: exportsMax,
  });
  const provider = new TracerProvider({
    resource: defaultResource().merge(
      resourceFromAttributes({
        "service.namespace": "opencomputer",
        ...resourceAttributes,
        "service.name": serviceName,
      }),
    ),
    sampler: createSampler(options),
    spanProcessors: [
      new BatchSpanProcessor({
        exporter: reportFailures(exporter, log),
        maxQueueSize: serviceLimits.traceSpansQueuedMax,
        maxExportBatchSize: serviceLimits.traceSpansPerExportMax,
        scheduledDelayMillis: serviceLimits.traceExportMilliseconds,
        exportTimeoutMillis: 2 * exportMilliseconds,
      }),
    ],
  });
  const tracer = provider.getTracer("opencomputer");

  return {
    start({ name, kind, parent, attributes }) {
      const span = tracer.startSpan(
        name,
        { kind: kinds[kind], attributes: toAttributes(attributes) },
        parent === undefined ? ROOT_CONTEXT : contextOf(parent, kind === "server"),
      );
      const { traceId, spanId, traceFlags } = span.spanContext();
      const isSampled = (traceFlags & TraceFlags.SAMPLED) !== 0;
      return {
        context: { traceId, spanId, isSampled },
        end({ code, isFailure, attributes: last = {} }) {
          span.setAttributes({ ...toAttributes(last), "opencomputer.code": code });
          if (isFailure) span.setStatus({ code: SpanStatusCode.ERROR });
          // The export that this may start is of the spans of many requests.
          runOutsideTraces(() => span.end());
        },
      };
    },
    close: () => provider.shutdown(),
  };
}

function contextOf({ traceId, spanId, isSampled }: TraceContext, isRemote: boolean) {
  const traceFlags = isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE;
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags, isRemote });
}

/** The attributes of a span under the names of OpenTelemetry's semantic conventions, where these have one. */
function toAttributes(attributes: SpanAttributes): Attributes {
  const { sandboxId, checkpointId, route, method, statusCode } = attributes;
  return {
    ...(route === undefined ? {} : { "http.route": route }),
    ...(method === undefined ? {} : { "http.request.method": method }),
    ...(statusCode === undefined ? {} : { "http.response.status_code": statusCode }),
    ...(sandboxId === undefined ? {} : { "opencomputer.sandbox.id": sandboxId }),
    ...(checkpointId === undefined ? {} : { "opencomputer.checkpoint.id": checkpointId }),
  };
}
