import type { TraceSettings } from "@opencomputer/protocol/wire";
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  ParentBasedSampler,
  type Sampler,
  TraceIdRatioBasedSampler,
} from "@opentelemetry/sdk-trace";

/** The sampler of an `OTEL_TRACES_SAMPLER`. Those named `parentbased_` leave it to a caller's `traceparent`, if there is one. */
export function createSampler({
  sampler,
  sampledShare,
}: {
  sampler: TraceSettings["OTEL_TRACES_SAMPLER"];
  sampledShare: number;
}): Sampler {
  switch (sampler) {
    case "always_on":
      return new AlwaysOnSampler();
    case "always_off":
      return new AlwaysOffSampler();
    case "traceidratio":
      return new TraceIdRatioBasedSampler(sampledShare);
    case "parentbased_always_on":
      return new ParentBasedSampler({ root: new AlwaysOnSampler() });
    case "parentbased_always_off":
      return new ParentBasedSampler({ root: new AlwaysOffSampler() });
    case "parentbased_traceidratio":
      return new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(sampledShare) });
  }
}
