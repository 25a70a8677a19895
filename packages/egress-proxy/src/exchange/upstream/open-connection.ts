import type { OverheadChecks } from "../../http2/frame-overhead.ts";
import { type Destination, type Dial, DialError } from "../../upstream/destination.ts";
import {
  negotiatedProtocol,
  type Protocol,
  type UpstreamProtocols,
} from "../../upstream/upstream-protocols.ts";
import { Http1Connection } from "./http1-upstream.ts";
import { Http2Connection } from "./http2-connection.ts";
import type { MonotonicClock } from "./upstream-link.ts";

/** What opening a connection needs from its surroundings. */
export interface OpenDependencies {
  readonly dial: Dial;
  readonly protocols: UpstreamProtocols;
  readonly clock: MonotonicClock;
  readonly watchdogs: OverheadChecks;
  readonly onActivity: () => void;
}

/**
 * Opens a connection in the version of HTTP that the guest speaks, where the
 * upstream speaks it, and otherwise in the other one.
 *
 * @throws {DialError}
 */
export async function openConnection(
  deps: OpenDependencies,
  destination: Destination,
  signal: AbortSignal,
  preferred: Protocol,
): Promise<Http1Connection | Http2Connection> {
  const { host, scheme } = destination;
  const { dial, protocols, onActivity } = deps;
  if (scheme === "http") {
    return new Http1Connection(await dial(destination, signal, ["http/1.1"]), onActivity);
  }
  let offered = offeredTo(preferred, protocols.of(host) === "h2_only");
  for (;;) {
    try {
      const socket = await dial(destination, signal, offered);
      const protocol = negotiatedProtocol(socket);
      if (preferred === "h2") protocols.learn(host, protocol);
      return protocol === "h2"
        ? new Http2Connection(socket, host, deps)
        : new Http1Connection(socket, onActivity);
    } catch (error) {
      const refusesHttp1 =
        error instanceof DialError &&
        error.failure === "protocol_not_supported" &&
        !offered.includes("h2");
      if (!refusesHttp1) throw error;
      protocols.learn(host, "h2_only");
      offered = ["h2"];
    }
  }
}

/**
 * Opens a connection that takes a WebSocket: over HTTP/1.1, or over HTTP/2 where
 * the upstream speaks nothing else.
 *
 * @throws {DialError}
 */
export async function openForWebSocket(
  deps: OpenDependencies,
  destination: Destination,
  signal: AbortSignal,
): Promise<Http1Connection | Http2Connection> {
  const connection = await openConnection(deps, destination, signal, "http/1.1");
  if (connection instanceof Http1Connection) return connection;
  const giveUp = (): void => connection.destroy();
  signal.addEventListener("abort", giveUp, { once: true });
  await connection.hasSettings();
  signal.removeEventListener("abort", giveUp);
  if (connection.takesWebSockets) return connection;
  connection.destroy();
  throw new DialError(
    "protocol_not_supported",
    `${destination.host} speaks only HTTP/2, and accepts no WebSocket over it (RFC 8441)`,
  );
}

/** A guest that speaks HTTP/1.1 is served in it, so that its fields keep their spelling. */
function offeredTo(preferred: Protocol, isHttp2Only: boolean): readonly Protocol[] {
  if (preferred === "h2") return ["h2", "http/1.1"];
  return isHttp2Only ? ["h2"] : ["http/1.1"];
}
