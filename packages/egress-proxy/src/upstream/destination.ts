import type { Duplex } from "node:stream";
import type { Protocol } from "./upstream-protocols.ts";

export type Scheme = "https" | "http";

/** Where a request or an opaque stream goes. */
export interface Destination {
  readonly scheme: Scheme | "tcp";
  /** A canonical host, followed by `:` and the port where that is not the scheme's. */
  readonly host: string;
}

/** Returns what is the same for equal destinations only. */
export function destinationKey({ scheme, host }: Destination): string {
  return `${scheme}://${host}`;
}

/** The port that a guest asks for when it uses the scheme. */
export const schemePorts = { https: 443, http: 80 } as const;

/** The canonical host of a destination without its port, and the port that the guest asked for. */
export function splitHost({ scheme, host }: Destination): { name: string; port: number } {
  const [, name, port] = /^([^:]+):(\d+)$/.exec(host) ?? [];
  if (name !== undefined) return { name, port: Number(port) };
  if (scheme === "tcp") throw new RangeError(`The stream to ${host} has no port`);
  return { name: host, port: schemePorts[scheme] };
}

/** The host of a destination from its name and port. */
export function joinHost(scheme: Scheme | "tcp", name: string, port: number): string {
  return scheme !== "tcp" && port === schemePorts[scheme] ? name : `${name}:${port}`;
}

/**
 * Opens a connection to a destination: resolves the name, refuses private
 * addresses that no operator setting opens, and for `https` verifies the
 * certificate against the host and offers these versions of HTTP. Rejects with
 * `DialError` only.
 */
export type Dial = (
  destination: Destination,
  signal: AbortSignal,
  protocols: readonly Protocol[],
) => Promise<Duplex>;

export type DialFailure =
  | "name_not_resolved"
  | "address_refused"
  | "connection_failed"
  | "certificate_invalid"
  | "upstream_proxy_refused"
  | "protocol_not_supported"
  | "timed_out";

const dialStatuses: Record<DialFailure, number> = {
  name_not_resolved: 502,
  address_refused: 403,
  connection_failed: 502,
  certificate_invalid: 502,
  upstream_proxy_refused: 403,
  protocol_not_supported: 502,
  timed_out: 504,
};

/** Thrown when an upstream cannot be reached. The message is for the guest to read. */
export class DialError extends Error {
  readonly failure: DialFailure;

  constructor(failure: DialFailure, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = "DialError";
    this.failure = failure;
  }

  get status(): number {
    return dialStatuses[this.failure];
  }

  /** Whether the policy allows the destination, which could not be reached. */
  get wasAllowed(): boolean {
    return this.failure !== "address_refused";
  }
}
