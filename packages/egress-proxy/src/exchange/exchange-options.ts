import { limits } from "@opencomputer/protocol";

export interface ExchangeOptions {
  /** Longest wait for a request head, from its first octet. */
  readonly headTimeoutSeconds: number;
  /** Longest time in which neither side sends an octet. */
  readonly idleTimeoutSeconds: number;
  /** How long a guest that still sends is listened to after its last answer. */
  readonly lingerSeconds: number;
  /** How often time-outs are looked for. */
  readonly timeoutCheckSeconds: number;
  /** Largest body that is collected, so that its length after the change is known. */
  readonly measuredBodyBytesMax: number;
  /**
   * Longest idle time after which an upstream connection carries a request
   * that must not be sent twice. Many servers close at five seconds.
   */
  readonly unrepeatableReuseSeconds: number;
}

export const defaultExchangeOptions: ExchangeOptions = {
  headTimeoutSeconds: limits.egressHeadTimeoutSeconds,
  idleTimeoutSeconds: limits.egressIdleTimeoutSeconds,
  lingerSeconds: 5,
  timeoutCheckSeconds: 1,
  measuredBodyBytesMax: limits.measuredBodyBytesMax,
  unrepeatableReuseSeconds: 4,
};
