import type { SessionPolicy } from "../../egress-policy/session-policy.ts";
import { type Destination, destinationKey } from "../../upstream/destination.ts";
import { Http1Connection } from "./http1-upstream.ts";
import type { IdleUpstreams } from "./idle-upstreams.ts";
import { type OpenDependencies, openConnection, openForWebSocket } from "./open-connection.ts";
import type { IdleSecondsMax, Purpose, UpstreamLease, UpstreamLink } from "./upstream-link.ts";
import type { UpstreamConnection } from "./upstream-side.ts";

/** A connection with what decides who may use it next. */
interface Held {
  readonly destination: Destination;
  readonly connection: UpstreamConnection;
  /** Whether the upstream may have authenticated it, which makes it this guest connection's alone. */
  readonly isBound: boolean;
}

interface Idle extends Held {
  readonly name: "idle";
  /** The policy of the last exchange. */
  readonly policy: SessionPolicy;
  readonly since: number;
}

type LinkState =
  | { readonly name: "closed" }
  | { readonly name: "dialing"; readonly dialing: AbortController }
  | ({ readonly name: "in_use" } & Held)
  | Idle;

const closed: LinkState = { name: "closed" };

interface OwnUpstreamDependencies extends OpenDependencies {
  readonly idleUpstreams: IdleUpstreams<Http1Connection>;
  /** Whether a policy is still the sandbox's. */
  readonly isInEffect: (policy: SessionPolicy) => boolean;
}

/**
 * The one upstream connection of a guest's connection. It is closed when another
 * host is requested. When the guest's connection ends, an upstream connection over
 * HTTP/1.1 stays open for later connections of the sandbox.
 */
export class OwnUpstream implements UpstreamLink {
  readonly #deps: OwnUpstreamDependencies;
  #state: LinkState = closed;

  constructor(deps: OwnUpstreamDependencies) {
    this.#deps = deps;
  }

  reuse(
    policy: SessionPolicy,
    destination: Destination,
    purpose: Purpose,
    idleSecondsMax: IdleSecondsMax,
  ): UpstreamLease | undefined {
    const own = this.#takeOwn(destination, purpose, idleSecondsMax.own);
    if (own !== undefined) {
      const { connection, isBound } = own;
      this.#state = { name: "in_use", destination, connection, isBound };
      return { upstream: connection.exchange(), reused: true };
    }
    const { idleUpstreams, onActivity } = this.#deps;
    const connection = idleUpstreams.take(policy, destination, idleSecondsMax.takenOver);
    if (connection === undefined) return undefined;
    connection.attach({ onActivity });
    this.#state = { name: "in_use", destination, connection, isBound: false };
    return { upstream: connection.exchange(), reused: true };
  }

  async open(destination: Destination, purpose: Purpose): Promise<UpstreamLease> {
    const dialing = new AbortController();
    this.#state = { name: "dialing", dialing };
    try {
      const connection =
        purpose === "websocket"
          ? await openForWebSocket(this.#deps, destination, dialing.signal)
          : await openConnection(this.#deps, destination, dialing.signal, "http/1.1");
      if (dialing.signal.aborted) connection.destroy();
      this.#state = { name: "in_use", destination, connection, isBound: false };
      return { upstream: connection.exchange(), reused: false };
    } catch (error) {
      this.#state = closed;
      throw error;
    }
  }

  keep(policy: SessionPolicy, isBound: boolean): void {
    const state = this.#state;
    if (state.name !== "in_use") return;
    const { destination, connection } = state;
    this.#state = {
      name: "idle",
      destination,
      connection,
      isBound: state.isBound || isBound,
      policy,
      since: this.#deps.clock.monotonicMilliseconds(),
    };
  }

  release(): void {
    const state = this.#state;
    if (
      state.name !== "idle" ||
      state.isBound ||
      !(state.connection instanceof Http1Connection) ||
      !this.#deps.isInEffect(state.policy)
    ) {
      this.drop();
      return;
    }
    this.#state = closed;
    this.#deps.idleUpstreams.put(state.policy, state.destination, state.connection);
  }

  drop(): void {
    const state = this.#state;
    this.#state = closed;
    if (state.name === "dialing") state.dialing.abort();
    else if (state.name !== "closed") state.connection.destroy();
  }

  /** Returns the idle connection if it can be used again; otherwise closes it. */
  #takeOwn(destination: Destination, purpose: Purpose, idleSecondsMax: number): Idle | undefined {
    const state = this.#state;
    if (state.name !== "idle") return undefined;
    const idleSeconds = (this.#deps.clock.monotonicMilliseconds() - state.since) / 1000;
    const leadsThere = destinationKey(state.destination) === destinationKey(destination);
    const isFit = purpose === "exchange" || state.connection.takesWebSockets;
    if (leadsThere && isFit && state.connection.quiet && idleSeconds <= idleSecondsMax) {
      return state;
    }
    this.drop();
    return undefined;
  }
}
