import type { SpanExporter } from "@opentelemetry/sdk-trace";
import type { Logger } from "pino";

/** What is quoted of a failure, which may have text of the receiver. */
const reasonCharactersMax = 200;

/**
 * Logs when exports begin to fail and when they work again: two lines, however
 * long the receiver is away. Spans of a failed export are lost.
 */
export function reportFailures(exporter: SpanExporter, log: Pick<Logger, "warn">): SpanExporter {
  let lostCount = 0;
  return {
    export(spans, done) {
      exporter.export(spans, (result) => {
        if (result.code === 0) {
          if (lostCount > 0) log.warn({ lostCount }, "spans are exported again");
          lostCount = 0;
        } else {
          if (lostCount === 0) {
            const reason = result.error?.message.slice(0, reasonCharactersMax);
            log.warn(
              { reason },
              "spans cannot be exported: check OTEL_EXPORTER_OTLP_ENDPOINT, and for a receiver with its own CA OTEL_EXPORTER_OTLP_CERTIFICATE",
            );
          }
          lostCount += spans.length;
        }
        done({ code: 0 });
      });
    },
    shutdown: () => exporter.shutdown(),
  };
}
