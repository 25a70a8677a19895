import type { SessionPolicy } from "../../egress-policy/session-policy.ts";
import type { ByteChannelHooks } from "../../http1/byte-channel.ts";
import { type Destination, destinationKey } from "../../upstream/destination.ts";
import type { MonotonicClock } from "./upstream-link.ts";

/** A connection that carries exchanges of one guest's connection after another. */
export interface KeptConnection {
  /** Whether it is fit for another exchange. */
  readonly quiet: boolean;
  /** Replaces who is notified of what happens on it. */
  attach(hooks: ByteChannelHooks): void;
  destroy(): void;
}

interface IdleUpstream<Connection> {
  readonly key: string;
  readonly connection: Connection;
  readonly since: number;
  readonly expiry: NodeJS.Timeout;
}

/**
 * Idle upstream connections whose guest's connection has ended, for later ones
 * of the same sandbox. A connection is kept for one policy and one destination:
 * another sandbox never gets it, nor the same one once its session has changed.
 */
export class IdleUpstreams<Connection extends KeptConnection> {
  readonly #byPolicy = new Map<SessionPolicy, IdleUpstream<Connection>[]>();
  readonly #clock: MonotonicClock;
  readonly #perSandboxMax: number;
  readonly #idleSecondsMax: number;

  constructor(deps: { clock: MonotonicClock; perSandboxMax: number; idleSecondsMax: number }) {
    this.#clock = deps.clock;
    this.#perSandboxMax = deps.perSandboxMax;
    this.#idleSecondsMax = deps.idleSecondsMax;
  }

  /** Keeps a connection, and closes the one that has been idle for longest where there are too many. */
  put(policy: SessionPolicy, destination: Destination, connection: Connection): void {
    if (!connection.quiet) {
      connection.destroy();
      return;
    }
    const close = (): void => connection.destroy();
    const idle: IdleUpstream<Connection> = {
      key: destinationKey(destination),
      connection,
      since: this.#clock.monotonicMilliseconds(),
      expiry: setTimeout(close, this.#idleSecondsMax * 1000),
    };
    idle.expiry.unref();
    // Nothing is expected of an idle upstream, so what it sends belongs to no response.
    connection.attach({ onActivity: close, onClosed: () => this.#forget(policy, idle) });
    const kept = this.#byPolicy.get(policy) ?? [];
    this.#byPolicy.set(policy, kept);
    kept.push(idle);
    if (kept.length > this.#perSandboxMax) {
      const [longest] = kept;
      if (longest !== undefined) this.#close(policy, longest);
    }
  }

  /** Takes the connection to a destination that was used last, if it has been idle for no longer than this. */
  take(
    policy: SessionPolicy,
    destination: Destination,
    idleSecondsMax: number,
  ): Connection | undefined {
    const key = destinationKey(destination);
    for (;;) {
      const idle = this.#byPolicy.get(policy)?.findLast((one) => one.key === key);
      if (idle === undefined) return undefined;
      const idleSeconds = (this.#clock.monotonicMilliseconds() - idle.since) / 1000;
      if (idleSeconds > idleSecondsMax) return undefined;
      this.#forget(policy, idle);
      if (idle.connection.quiet) return idle.connection;
      idle.connection.destroy();
    }
  }

  /** Closes every connection that is kept for a policy, which is no longer in effect. */
  closeAllOf(policy: SessionPolicy): void {
    for (const idle of [...(this.#byPolicy.get(policy) ?? [])]) this.#close(policy, idle);
  }

  #close(policy: SessionPolicy, idle: IdleUpstream<Connection>): void {
    this.#forget(policy, idle);
    idle.connection.destroy();
  }

  #forget(policy: SessionPolicy, idle: IdleUpstream<Connection>): void {
    clearTimeout(idle.expiry);
    const kept = this.#byPolicy.get(policy);
    const index = kept?.indexOf(idle) ?? -1;
    if (kept === undefined || index === -1) return;
    kept.splice(index, 1);
    if (kept.length === 0) this.#byPolicy.delete(policy);
  }
}
