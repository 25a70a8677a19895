export { abortWhenClosed } from "./abort-when-closed.ts";
export { describeError, type LoggedError } from "./describe-error.ts";
export { endWhenAsked } from "./end-when-asked.ts";
export { hasAtMostJsonValues } from "./json-values.ts";
export { createProcessMetrics, type ProcessMetrics } from "./metrics/process-metrics.ts";
export { createRequestMetrics, type RequestMetrics } from "./metrics/request-metrics.ts";
export { createWorkMetrics, type ObserveWork } from "./metrics/work-metrics.ts";
export { openLogOutput, setV8Flags } from "./process-start.ts";
export {
  type AddressVerdict,
  createAddressJudge,
  type JudgeAddress,
  OwnAddresses,
} from "./public-address.ts";
export { hasRequestBody } from "./request-body.ts";
export { readSecretSettings } from "./secret-settings.ts";
export { type ErrorTexts, toWireError } from "./to-wire-error.ts";
export { runOutsideTraces, traceHeaders, traceLogFields } from "./tracing/current-trace.ts";
export { openTracer } from "./tracing/open-tracer.ts";
export { createRequestTraces, type RequestTraces } from "./tracing/request-traces.ts";
export { traceCalls } from "./tracing/trace-calls.ts";
export { Tracer } from "./tracing/tracer.ts";
export { readRoots } from "./trusted-roots.ts";
