import { setTimeout as delay } from "node:timers/promises";
import { serviceLimits, type TraceSettings } from "@opencomputer/protocol/wire";
import type { Logger } from "pino";
import { readRoots } from "../trusted-roots.ts";
import { Tracer } from "./tracer.ts";

/** The tracer of a process, with what sends its spans. */
export interface OpenTracer {
  readonly tracer: Tracer;
  /** Sends the last spans, for at most `traceFlushMilliseconds`. Never rejects. */
  close(): Promise<void>;
}

/**
 * Opens the tracer of a process. Where spans go nowhere, which is the default, no
 * code of OpenTelemetry is loaded.
 *
 * @param options.processName Becomes `opencomputer-<processName>`, the name of the service in traces.
 * @throws {SettingsError} for a file of CAs that cannot be read, or has no valid certificates.
 */
export async function openTracer(
  settings: TraceSettings,
  options: { processName: string; log: Pick<Logger, "warn"> },
): Promise<OpenTracer> {
  const url = receiverOf(settings);
  if (url === undefined) return { tracer: new Tracer(), close: async () => undefined };
  const roots = readReceiverRoots(settings);
  const { openOtlpSpans } = await import("./otlp-spans.ts");
  const spans = openOtlpSpans({
    url,
    headers: {
      ...settings.OTEL_EXPORTER_OTLP_HEADERS,
      ...settings.OTEL_EXPORTER_OTLP_TRACES_HEADERS,
    },
    roots,
    exportMilliseconds: settings.OTEL_EXPORTER_OTLP_TIMEOUT,
    sampler: settings.OTEL_TRACES_SAMPLER,
    sampledShare: settings.OTEL_TRACES_SAMPLER_ARG,
    serviceName: `opencomputer-${options.processName}`,
    resourceAttributes: settings.OTEL_RESOURCE_ATTRIBUTES,
    log: options.log,
  });
  return {
    tracer: new Tracer(spans),
    async close() {
      const limit = delay(serviceLimits.traceFlushMilliseconds, undefined, { ref: false });
      await Promise.race([spans.close(), limit]);
    },
  };
}

function receiverOf(settings: TraceSettings): string | undefined {
  if (settings.OTEL_SDK_DISABLED) return undefined;
  const base = settings.OTEL_EXPORTER_OTLP_ENDPOINT?.replace(/\/$/, "");
  const below = base === undefined ? undefined : `${base}/v1/traces`;
  return settings.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT ?? below;
}

/** The CAs that a receiver's certificate must be of; undefined for those that Node trusts. */
function readReceiverRoots(settings: TraceSettings): readonly string[] | undefined {
  for (const name of [
    "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE",
    "OTEL_EXPORTER_OTLP_CERTIFICATE",
  ] as const) {
    const path = settings[name];
    if (path !== undefined) return readRoots(name, path);
  }
  return undefined;
}
