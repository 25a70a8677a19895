import { serviceLimits } from "../limits.ts";

/** Where a request is in a trace. */
export interface TraceContext {
  /** 32 lowercase hexadecimal digits, not all zero. */
  readonly traceId: string;
  /** The span that called: 16 lowercase hexadecimal digits, not all zero. */
  readonly spanId: string;
  /** Whether the caller records the trace. */
  readonly isSampled: boolean;
}

/** The header that carries a {@link TraceContext} (W3C Trace Context, level 1). */
export const traceParentHeader = "traceparent";

const pattern =
  /^(?<version>[0-9a-f]{2})-(?<traceId>[0-9a-f]{32})-(?<spanId>[0-9a-f]{16})-(?<flags>[0-9a-f]{2})(?<rest>-.*)?$/;
const sampledFlag = 1;

/** Reads a `traceparent`; undefined for one that is absent or malformed, which begins no trace and is no error. */
export function parseTraceParent(text: unknown): TraceContext | undefined {
  if (typeof text !== "string" || text.length > serviceLimits.traceParentCharactersMax) {
    return undefined;
  }
  const { version, traceId, spanId, flags, rest } = pattern.exec(text)?.groups ?? {};
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  // Only later versions may have further fields; `ff` is none.
  if (version === "ff" || (version === "00" && rest !== undefined)) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & sampledFlag) !== 0 };
}

export function formatTraceParent({ traceId, spanId, isSampled }: TraceContext): string {
  return `00-${traceId}-${spanId}-${isSampled ? "01" : "00"}`;
}
