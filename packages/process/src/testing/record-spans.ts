import type { TraceContext } from "@opencomputer/protocol/wire";
import { type SpanEnd, type SpanStart, Tracer } from "../tracing/tracer.ts";

/** A span that a test looks at. */
export interface RecordedSpan extends SpanStart {
  readonly context: TraceContext;
  /** Undefined for one that begins a trace, or whose parent another process has. */
  readonly parentName: string | undefined;
  /** Undefined while it is open. */
  end: SpanEnd | undefined;
}

/** A tracer, with its spans in the order of their start. */
export function recordSpans(): { tracer: Tracer; spans: RecordedSpan[] } {
  const spans: RecordedSpan[] = [];
  const hex = (number: number, length: number) => number.toString(16).padStart(length, "0");
  const tracer = new Tracer({
    start(start) {
      const number = spans.length + 1;
      const { parent } = start;
      const span: RecordedSpan = {
        ...start,
        context: {
          traceId: parent?.traceId ?? hex(number, 32),
          spanId: hex(number, 16),
          isSampled: true,
        },
        parentName: spans.find(({ context }) => context.spanId === parent?.spanId)?.name,
        end: undefined,
      };
      spans.push(span);
      return {
        context: span.context,
        end(end) {
          span.end = end;
        },
      };
    },
  });
  return { tracer, spans };
}
