import type { SessionPolicy } from "../../egress-policy/session-policy.ts";
import type { Destination } from "../../upstream/destination.ts";
import type { UpstreamSide } from "./upstream-side.ts";

/** An upstream for one exchange. */
export interface UpstreamLease {
  readonly upstream: UpstreamSide;
  /** Whether the connection has carried an exchange before. */
  readonly reused: boolean;
}

/** How long a connection may have been idle to be used again. */
export interface IdleSecondsMax {
  readonly own: number;
  /** For a connection that another connection of the guest left open. */
  readonly takenOver: number;
}

/** What a connection is for. A WebSocket over HTTP/2 needs an upstream that supports it (RFC 8441 §3). */
export type Purpose = "exchange" | "websocket";

/** Where the exchanges of a guest get their upstream from, one at a time. */
export interface UpstreamLink {
  /**
   * Takes an open connection to this destination that can still be used and has been
   * idle for no longer than this; undefined when there is none.
   */
  reuse(
    policy: SessionPolicy,
    destination: Destination,
    purpose: Purpose,
    idleSecondsMax: IdleSecondsMax,
  ): UpstreamLease | undefined;
  /**
   * Opens a fresh connection.
   *
   * @throws {DialError}
   */
  open(destination: Destination, purpose: Purpose): Promise<UpstreamLease>;
  /**
   * Keeps the connection for another exchange, now that this one under `policy` is
   * over. `isBound` states that the upstream may have authenticated the connection.
   */
  keep(policy: SessionPolicy, isBound: boolean): void;
  /** Leaves an idle connection to later ones of the sandbox, since the guest's connection is over. */
  release(): void;
  /** Gives the exchange up, or stops opening a connection for it. */
  drop(): void;
}

/** The part of a clock that measures how long a connection is idle. */
export interface MonotonicClock {
  monotonicMilliseconds(): number;
}
