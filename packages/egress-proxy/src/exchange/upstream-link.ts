import type { Destination, Dial } from "../contract.ts";
import { ByteChannel } from "../http1/byte-channel.ts";
import type { Clock } from "./clock.ts";

export interface UpstreamLease {
  readonly channel: ByteChannel;
  /** Whether the connection has carried an exchange before. */
  readonly reused: boolean;
}

interface IdleConnection {
  readonly host: string;
  readonly channel: ByteChannel;
  readonly since: number;
}

/** The one upstream connection of a guest's connection. */
export class UpstreamLink {
  readonly #dial: Dial;
  readonly #clock: Clock;
  readonly #onActivity: () => void;
  #inUse: { host: string; channel: ByteChannel } | undefined;
  #idle: IdleConnection | undefined;
  #dialing: AbortController | undefined;

  constructor(deps: { dial: Dial; clock: Clock; onActivity: () => void }) {
    this.#dial = deps.dial;
    this.#clock = deps.clock;
    this.#onActivity = deps.onActivity;
  }

  /** The kept connection, when it is fit and has not been idle for longer; otherwise it is closed. */
  reuse(destination: Destination, idleSecondsMax: number): UpstreamLease | undefined {
    const idle = this.#idle;
    if (idle === undefined) return undefined;
    this.#idle = undefined;
    const idleSeconds = (this.#clock.monotonicMilliseconds() - idle.since) / 1000;
    if (idle.host !== destination.host || !idle.channel.quiet || idleSeconds > idleSecondsMax) {
      idle.channel.destroy();
      return undefined;
    }
    this.#inUse = idle;
    return { channel: idle.channel, reused: true };
  }

  /**
   * A fresh connection.
   *
   * @throws {DialError}
   */
  async open(destination: Destination): Promise<UpstreamLease> {
    const dialing = new AbortController();
    this.#dialing = dialing;
    try {
      const socket = await this.#dial(destination, dialing.signal);
      const channel = new ByteChannel(socket, {
        onActivity: this.#onActivity,
        onClosed: ignoreClose,
      });
      if (dialing.signal.aborted) channel.destroy();
      this.#inUse = { host: destination.host, channel };
      return { channel, reused: false };
    } finally {
      this.#dialing = undefined;
    }
  }

  /** The exchange is over, and the connection may carry another. */
  keep(): void {
    if (this.#inUse === undefined) return;
    const { host, channel } = this.#inUse;
    this.#idle = { host, channel, since: this.#clock.monotonicMilliseconds() };
    this.#inUse = undefined;
  }

  /** Closes whatever is open or being opened. */
  drop(): void {
    this.#dialing?.abort();
    this.#inUse?.channel.destroy();
    this.#idle?.channel.destroy();
    this.#inUse = undefined;
    this.#idle = undefined;
  }
}

/** A closed upstream is noticed when it is read from or leased. */
function ignoreClose(): void {
  // Nothing is to be done at this moment.
}
