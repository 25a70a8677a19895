import { serviceLimits } from "@opencomputer/protocol/wire";
import type { WriteAudit } from "../../audit/audit-writer.ts";
import type { FindPolicy } from "../../egress-policy/session-policy.ts";
import { FairTurns } from "../../turns/fair-turns.ts";
import type { Dial } from "../../upstream/destination.ts";
import { UpstreamProtocols } from "../../upstream/upstream-protocols.ts";
import type { Http1Connection } from "../upstream/http1-upstream.ts";
import { IdleUpstreams } from "../upstream/idle-upstreams.ts";
import { type BodyBudgets, createBodyBudgets } from "./body-budgets.ts";
import { type Clock, systemClock, Timestamps } from "./clock.ts";
import { StreamCounts } from "./stream-counts.ts";
import { Watchdogs } from "./watchdog.ts";

/** What every exchange needs from its surroundings. */
export interface ExchangeDependencies {
  readonly dial: Dial;
  readonly findPolicy: FindPolicy;
  readonly writeAudit: WriteAudit;
  /** Called with the code of each response that the proxy gives instead of the upstream. */
  readonly countFailure: (code: string) => void;
  /** Whether the audit trail takes lines; while it does not, no request is sent. */
  readonly isAuditTrailWritable: () => boolean;
  readonly bodyBudgets: BodyBudgets;
  /** For the decoders of compressed responses. */
  readonly decoderBudgets: BodyBudgets;
  readonly protocols: UpstreamProtocols;
  readonly streamCounts: StreamCounts;
  readonly turns: FairTurns;
  readonly clock: Clock;
  readonly options: ExchangeOptions;
  readonly timestamps: Timestamps;
  readonly watchdogs: Watchdogs;
  readonly idleUpstreams: IdleUpstreams<Http1Connection>;
}

/** Bounds on the time and memory of an exchange. */
export interface ExchangeOptions {
  /** Longest wait for a request head, from its first byte. */
  readonly headTimeoutSeconds: number;
  /** Longest time without a request, and longest time in which a guest takes nothing of what ends its connection. */
  readonly idleTimeoutSeconds: number;
  /** Longest time during an exchange in which neither side sends a byte; after a switch of protocols there is none. */
  readonly silenceTimeoutSeconds: number;
  /** How long a guest that still sends is read from after its last response. */
  readonly lingerSeconds: number;
  /** Interval at which time-outs are checked. */
  readonly timeoutCheckSeconds: number;
  /** Largest body that is collected, so that its length after the change is known. */
  readonly measuredBodyBytesMax: number;
  /** The same for text in a request. */
  readonly measuredTextBytesMax: number;
  /** The beginning of a file in which tokens become values. */
  readonly fileBeginningBytesMax: number;
  /** Text of a compressed body in which tokens are looked for. */
  readonly searchedDecodedBytesMax: number;
  /** Memory that the decoders of one sandbox's responses take at a time. */
  readonly decoderBytesPerSandboxMax: number;
  /**
   * Longest idle time after which an upstream connection carries a request
   * that must not be sent twice. Many servers close at five seconds.
   */
  readonly unrepeatableReuseSeconds: number;
  /** Most streams of HTTP/2 that one sandbox has open at a time. */
  readonly streamsPerSandboxMax: number;
  /** Most streams that a guest may reset at once on one connection over HTTP/2. */
  readonly streamResetsMax: number;
  /** The same for a connection that another one of the guest's left: the guest expects a fresh one. */
  readonly unrepeatableTakeoverSeconds: number;
}

const defaultOptions: ExchangeOptions = {
  headTimeoutSeconds: serviceLimits.egressHeadTimeoutSeconds,
  idleTimeoutSeconds: serviceLimits.egressIdleTimeoutSeconds,
  silenceTimeoutSeconds: serviceLimits.egressSilenceTimeoutSeconds,
  lingerSeconds: 5,
  timeoutCheckSeconds: 1,
  measuredBodyBytesMax: serviceLimits.measuredBodyBytesMax,
  measuredTextBytesMax: serviceLimits.measuredTextBytesMax,
  fileBeginningBytesMax: serviceLimits.fileBeginningBytesMax,
  searchedDecodedBytesMax: serviceLimits.searchedDecodedBytesMax,
  decoderBytesPerSandboxMax: serviceLimits.decoderBytesPerSandboxMax,
  unrepeatableReuseSeconds: 4,
  streamsPerSandboxMax: serviceLimits.http2StreamsPerSandboxMax,
  streamResetsMax: serviceLimits.http2StreamResetsMax,
  unrepeatableTakeoverSeconds: 1,
};

type Surroundings = Pick<
  ExchangeDependencies,
  "dial" | "findPolicy" | "writeAudit" | "isAuditTrailWritable" | "bodyBudgets"
>;

/** Completes the dependencies of the exchanges, which share one clock and one timer. */
export function createExchangeDependencies(
  given: Surroundings & {
    readonly clock?: Clock;
    readonly countFailure?: (code: string) => void;
    readonly protocols?: UpstreamProtocols;
    readonly turns?: FairTurns;
    readonly options?: Partial<ExchangeOptions>;
  },
): ExchangeDependencies {
  const options = { ...defaultOptions, ...given.options };
  const clock = given.clock ?? systemClock;
  return {
    ...given,
    countFailure: given.countFailure ?? (() => undefined),
    clock,
    options,
    decoderBudgets: createBodyBudgets({ bytesPerSandboxMax: options.decoderBytesPerSandboxMax }),
    protocols: given.protocols ?? new UpstreamProtocols(),
    streamCounts: new StreamCounts({ perAddressMax: options.streamsPerSandboxMax }),
    turns: given.turns ?? new FairTurns(),
    timestamps: new Timestamps(),
    watchdogs: new Watchdogs({ clock, checkSeconds: options.timeoutCheckSeconds }),
    idleUpstreams: new IdleUpstreams({
      clock,
      perSandboxMax: serviceLimits.idleUpstreamsPerSandboxMax,
      idleSecondsMax: serviceLimits.idleUpstreamSecondsMax,
    }),
  };
}
