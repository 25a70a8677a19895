import { serviceLimits } from "@opencomputer/protocol/wire";
import type { SessionPolicy } from "../../egress-policy/session-policy.ts";
import { ChannelLostError } from "../../http/channel-lost-error.ts";
import type { Destination } from "../../upstream/destination.ts";
import type { Http1Connection } from "./http1-upstream.ts";
import { Http2Connection } from "./http2-connection.ts";
import { type OpenDependencies, openConnection, openForWebSocket } from "./open-connection.ts";
import type { IdleSecondsMax, Purpose, UpstreamLease, UpstreamLink } from "./upstream-link.ts";
import type { UpstreamSide } from "./upstream-side.ts";

interface IdleConnection {
  readonly connection: Http1Connection;
  readonly since: number;
}

/** What one exchange holds. */
export type Lease =
  | { readonly kind: "stream"; readonly upstream: UpstreamSide }
  | { readonly kind: "connection"; readonly connection: Http1Connection }
  /** Held for as long as the WebSocket is open, perhaps days, and not shared by exchanges. */
  | { readonly kind: "websocket"; readonly connection: Http1Connection | Http2Connection };

/**
 * The upstream connections of a guest's connection over HTTP/2, whose exchanges
 * all go to one host: one connection over HTTP/2 that they share, or a bounded
 * number over HTTP/1.1, for which exchanges wait in line. A WebSocket has one of its
 * own, unless the shared one takes it.
 */
export class SharedUpstream {
  readonly #deps: OpenDependencies;
  readonly #closing = new AbortController();
  #shared: Http2Connection | undefined;
  /** The first connection while it is being opened: it shows which version the host speaks. */
  #opening: Promise<Http1Connection | Http2Connection> | undefined;
  #idle: IdleConnection[] = [];
  #open = 0;
  readonly #busy = new Set<Http1Connection>();
  #waiting: (() => void)[] = [];

  constructor(deps: OpenDependencies) {
    this.#deps = deps;
  }

  /** Returns the link of one exchange. */
  link(): UpstreamLink {
    return new SharedLink(this);
  }

  take(idleSecondsMax: number): Lease | undefined {
    if (this.#shared?.quiet === true && idleSecondsMax >= 0) {
      return { kind: "stream", upstream: this.#shared.exchange() };
    }
    const now = this.#deps.clock.monotonicMilliseconds();
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      const { connection, since } = idle;
      if (connection.quiet && (now - since) / 1000 <= idleSecondsMax) {
        this.#busy.add(connection);
        return { kind: "connection", connection };
      }
      this.#discard(connection);
    }
    return undefined;
  }

  takeForWebSocket(): Lease | undefined {
    if (this.#shared?.quiet !== true || !this.#shared.takesWebSockets) return undefined;
    return { kind: "stream", upstream: this.#shared.exchange() };
  }

  /** @throws {DialError} */
  async openForWebSocket(destination: Destination, signal: AbortSignal): Promise<Lease> {
    const connection = await openForWebSocket(this.#deps, destination, signal);
    if (!signal.aborted) return { kind: "websocket", connection };
    connection.destroy();
    throw givenUp();
  }

  /** @throws {DialError} */
  async open(destination: Destination, signal: AbortSignal): Promise<Lease> {
    for (;;) {
      if (signal.aborted || this.#closing.signal.aborted) throw givenUp();
      if (this.#shared?.quiet === true) {
        return { kind: "stream", upstream: this.#shared.exchange() };
      }
      if (this.#opening !== undefined) {
        await this.#opening.catch(ignoreFailure);
        continue;
      }
      if (this.#open < serviceLimits.http1UpstreamsPerConnectionMax) {
        const lease = await this.#dial(destination);
        if (!signal.aborted) return lease;
        this.give(lease, { isFit: false });
        throw givenUp();
      }
      await this.#turn(signal);
      const lease = this.take(Number.POSITIVE_INFINITY);
      if (lease !== undefined) return lease;
    }
  }

  /** Takes back what an exchange held. */
  give(lease: Lease, { isFit }: { readonly isFit: boolean }): void {
    if (lease.kind === "stream") {
      if (!isFit) lease.upstream.destroy();
      return;
    }
    if (lease.kind === "websocket") {
      lease.connection.destroy();
      return;
    }
    this.#busy.delete(lease.connection);
    if (isFit && !this.#closing.signal.aborted) {
      const since = this.#deps.clock.monotonicMilliseconds();
      this.#idle.push({ connection: lease.connection, since });
    } else {
      this.#discard(lease.connection);
    }
    this.#waiting.shift()?.();
  }

  /** Closes every connection. */
  close(): void {
    this.#closing.abort();
    this.#shared?.destroy();
    for (const { connection } of this.#idle) connection.destroy();
    for (const connection of this.#busy) connection.destroy();
    for (const wake of this.#waiting.splice(0)) wake();
  }

  async #dial(destination: Destination): Promise<Lease> {
    this.#open += 1;
    const isFirst = this.#open === 1;
    const opening = openConnection(this.#deps, destination, this.#closing.signal, "h2");
    if (isFirst) this.#opening = opening;
    try {
      const connection = await opening;
      if (this.#closing.signal.aborted) {
        connection.destroy();
        throw givenUp();
      }
      if (!(connection instanceof Http2Connection)) {
        this.#busy.add(connection);
        return { kind: "connection", connection };
      }
      this.#open -= 1;
      this.#shared = connection;
      return { kind: "stream", upstream: connection.exchange() };
    } catch (error) {
      this.#open -= 1;
      this.#waiting.shift()?.();
      throw error;
    } finally {
      if (isFirst) this.#opening = undefined;
    }
  }

  #discard(connection: Http1Connection): void {
    connection.destroy();
    this.#open -= 1;
  }

  /** Resolves when a connection may be free, or the exchange is given up, which then takes nobody's turn. */
  async #turn(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve);
      const leave = (): void => {
        this.#waiting = this.#waiting.filter((waiting) => waiting !== resolve);
        resolve();
      };
      signal.addEventListener("abort", leave, { once: true });
    });
  }
}

/** The part of one exchange in the connections that it shares with others. */
class SharedLink implements UpstreamLink {
  readonly #shared: SharedUpstream;
  #lease: Lease | undefined;
  #opening: AbortController | undefined;

  constructor(shared: SharedUpstream) {
    this.#shared = shared;
  }

  reuse(
    _policy: SessionPolicy,
    _destination: Destination,
    purpose: Purpose,
    idleSecondsMax: IdleSecondsMax,
  ): UpstreamLease | undefined {
    const lease =
      purpose === "websocket"
        ? this.#shared.takeForWebSocket()
        : this.#shared.take(idleSecondsMax.own);
    return lease === undefined ? undefined : this.#hold(lease, true);
  }

  async open(destination: Destination, purpose: Purpose): Promise<UpstreamLease> {
    const opening = new AbortController();
    this.#opening = opening;
    const lease =
      purpose === "websocket"
        ? await this.#shared.openForWebSocket(destination, opening.signal)
        : await this.#shared.open(destination, opening.signal);
    this.#opening = undefined;
    return this.#hold(lease, false);
  }

  keep(): void {
    this.#give(true);
  }

  /** What an exchange held has been given back: the connections end with the guest's. */
  release(): void {
    this.drop();
  }

  drop(): void {
    this.#opening?.abort();
    this.#give(false);
  }

  #hold(lease: Lease, reused: boolean): UpstreamLease {
    this.#lease = lease;
    const upstream = lease.kind === "stream" ? lease.upstream : lease.connection.exchange();
    return { upstream, reused };
  }

  #give(isFit: boolean): void {
    const lease = this.#lease;
    this.#lease = undefined;
    if (lease !== undefined) this.#shared.give(lease, { isFit });
  }
}

function givenUp(): ChannelLostError {
  return new ChannelLostError("the exchange was abandoned");
}

function ignoreFailure(): void {
  // Whoever opened the connection reports it; the others open one of their own.
}
