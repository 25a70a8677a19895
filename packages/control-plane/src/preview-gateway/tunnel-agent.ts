import { Agent, type ClientRequestArgs } from "node:http";
import type { Duplex } from "node:stream";

/** Servers close idle connections after 2 s and more: an idle one is closed before, so none is lost mid-request. */
const idleMilliseconds = 1_000;
/** Idle connections to one port that are kept. */
const idleConnectionsMax = 64;

/** One port of one machine. Connections are shared within it, never beyond. */
export interface TunnelTarget {
  sandboxId: string;
  /** A sandbox has another machine after each wake, which knows no connection of the one before. */
  machineId: string | null;
  port: number;
}

type OpenTunnel = (target: { sandboxId: string; port: number }) => Promise<Duplex>;

/** Keeps tunnels for further requests to the same port of the same machine. */
export class TunnelAgent extends Agent {
  readonly #openTunnel: OpenTunnel;

  constructor(openTunnel: OpenTunnel) {
    super({
      keepAlive: true,
      maxFreeSockets: idleConnectionsMax,
      scheduling: "lifo",
      timeout: idleMilliseconds,
    });
    this.#openTunnel = openTunnel;
  }

  /** The request options that name a target: an agent shares connections by host and port. */
  static optionsOf({ sandboxId, machineId, port }: TunnelTarget): { host: string; port: number } {
    return { host: `${sandboxId}.${machineId}`, port };
  }

  override createConnection(
    { host, port }: ClientRequestArgs,
    callback: (error: Error | null, stream: Duplex) => void,
  ): undefined {
    const [sandboxId = ""] = (host ?? "").split(".");
    this.#openTunnel({ sandboxId, port: Number(port) }).then(
      (tunnel) => callback(null, tunnel),
      // With an error the agent takes no stream.
      (error: Error) => (callback as (error: Error) => void)(error),
    );
  }

  /** A connection with bytes that nobody asked for is out of step and serves no further request. */
  override keepSocketAlive(tunnel: Duplex): boolean {
    if (tunnel.readableLength > 0) return false;
    const kept: unknown = super.keepSocketAlive(tunnel);
    return kept !== false;
  }
}
