import { AsyncLocalStorage } from "node:async_hooks";
import {
  formatTraceParent,
  type TraceContext,
  traceParentHeader,
} from "@opencomputer/protocol/wire";

/** What runs now belongs to at most one trace, whoever asks: a log line, or a call of another process. */
const current = new AsyncLocalStorage<TraceContext | undefined>();

/** Where the work that runs now is in a trace; undefined when it belongs to none. */
export function currentTrace(): TraceContext | undefined {
  return current.getStore();
}

/** Does work, and everything that follows from it, at a place in a trace. */
export function runInTrace<Result>(trace: TraceContext, work: () => Result): Result {
  return current.run(trace, work);
}

/** Does work that a request starts and that is not part of it, such as a timer that outlives it. */
export function runOutsideTraces<Result>(work: () => Result): Result {
  return current.run(undefined, work);
}

/** The header with which another process continues the trace; none outside of traces. */
export function traceHeaders(): Record<string, string> {
  const trace = current.getStore();
  return trace === undefined ? {} : { [traceParentHeader]: formatTraceParent(trace) };
}

/** What pino adds to each line, as its `mixin`. */
export function traceLogFields(): { traceId?: string; spanId?: string } {
  const trace = current.getStore();
  return trace === undefined ? {} : { traceId: trace.traceId, spanId: trace.spanId };
}
