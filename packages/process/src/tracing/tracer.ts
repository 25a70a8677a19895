import { randomBytes } from "node:crypto";
import { WireError } from "@opencomputer/protocol/api";
import type { TraceContext } from "@opencomputer/protocol/wire";
import { currentTrace, runInTrace } from "./current-trace.ts";

/** What a span has besides its name and its times. No text of a caller or a guest is ever one. */
export interface SpanAttributes {
  readonly sandboxId?: string | undefined;
  readonly checkpointId?: string | undefined;
  /** As the HTTP API has it, such as `/api/sandboxes/:id`. */
  readonly route?: string | undefined;
  readonly method?: string | undefined;
  readonly statusCode?: number | undefined;
}

export interface SpanStart {
  readonly name: string;
  /** `server` for a request that came, `client` for a call of another process. */
  readonly kind: "server" | "client" | "internal";
  /** Undefined begins a trace. */
  readonly parent: TraceContext | undefined;
  readonly attributes: SpanAttributes;
}

export interface SpanEnd {
  /** `ok`, or the code of the error. */
  readonly code: string;
  readonly isFailure: boolean;
  readonly attributes?: SpanAttributes;
}

export interface OpenSpan {
  readonly context: TraceContext;
  end(end: SpanEnd): void;
}

/** Makes spans: OpenTelemetry's SDK where they are exported. */
export interface SpanSource {
  start(start: SpanStart): OpenSpan;
}

/** Makes none. Each trace has an id all the same, which the logs of all processes share. */
export const unrecordedSpans: SpanSource = {
  start: ({ parent }) => ({ context: parent ?? newTrace(), end: () => undefined }),
};

/** `kind` is `internal` when absent. */
export type SpanOptions = SpanAttributes & { readonly kind?: "internal" | "client" };

/** Divides the work of a request into spans. A span that fails has the code of the error, and no text. */
export class Tracer {
  readonly #spans: SpanSource;

  constructor(spans: SpanSource = unrecordedSpans) {
    this.#spans = spans;
  }

  /** Does work in a span of the trace that it belongs to. Work that belongs to none, or whose spans go nowhere, is only done. */
  span<Result>(
    name: string,
    work: () => Promise<Result>,
    options: SpanOptions = {},
  ): Promise<Result> {
    const isRecorded = this.#spans !== unrecordedSpans && currentTrace() !== undefined;
    return isRecorded ? this.trace(name, work, options) : work();
  }

  /** Does work in a span as {@link span}, and begins a trace for work that belongs to none. */
  async trace<Result>(
    name: string,
    work: () => Promise<Result>,
    { kind = "internal", ...attributes }: SpanOptions = {},
  ): Promise<Result> {
    const span = this.start({ name, kind, parent: currentTrace(), attributes });
    try {
      const result = await runInTrace(span.context, work);
      span.end({ code: "ok", isFailure: false });
      return result;
    } catch (error) {
      const code = error instanceof WireError ? error.code : "internal_error";
      span.end({ code, isFailure: true });
      throw error;
    }
  }

  /** Starts a span that the caller ends. */
  start(start: SpanStart): OpenSpan {
    return this.#spans.start(start);
  }
}

function newTrace(): TraceContext {
  const bytes = randomBytes(24).toString("hex");
  return { traceId: bytes.slice(0, 32), spanId: bytes.slice(32), isSampled: false };
}
