import { joinHost } from "../upstream/destination.ts";
import type { SessionPolicy } from "./session-policy.ts";

/** What the decision about a stream follows from. */
export type StreamRules = Pick<SessionPolicy, "otherPorts" | "refusalFor">;

/** What a connection to another port than 443 and 80 is: HTTPS to be intercepted, an opaque stream, or refused. */
export type StreamDecision = AllowedStream | RefusedStream;

type AllowedStream = { readonly kind: "https" } | { readonly kind: "tcp"; readonly name: string };

interface RefusedStream {
  readonly kind: "refused";
  readonly host: string | null;
  /** For people to read, with what would allow it. */
  readonly reason: string;
}

/** A connection of a guest to an address, none of whose names opens the port. */
export interface UnnamedStream {
  readonly address: string;
  readonly port: number;
  /** The names that the address was given for. */
  readonly names: readonly string[];
  /** The host of the allowlist that has the address now; undefined when none has. */
  readonly found: string | undefined;
}

/** Decides by the names that an address was given for; undefined when none of them opens the port. */
export function decideByNames(
  { otherPorts, refusalFor }: StreamRules,
  names: readonly string[],
  port: number,
): AllowedStream | undefined {
  const isHttps = names.some((name) => refusalFor(joinHost("https", name, port)) === null);
  if (isHttps && otherPorts.hasHttps(port)) return { kind: "https" };
  const name = names.find((given) => otherPorts.allowsStream(given, port));
  return name === undefined ? undefined : { kind: "tcp", name };
}

/**
 * Decides where no name that the address was given for opens the port. HTTPS is
 * let through by the port alone: the name in its handshake is decided later.
 */
export function decideByAddress(
  { otherPorts }: StreamRules,
  { address, port, names, found }: UnnamedStream,
): StreamDecision {
  if (found !== undefined && otherPorts.allowsStream(found, port)) {
    return { kind: "tcp", name: found };
  }
  if (otherPorts.hasHttps(port)) return { kind: "https" };
  const [name] = names;
  return { kind: "refused", host: name ?? null, reason: refusalOf(name, address, port) };
}

/** Why a connection to a port is refused, and what would allow it. */
function refusalOf(name: string | undefined, address: string, port: number): string {
  if (name === undefined) {
    return `port ${port} of ${address} is not open: no host of the egress allowlist that opens this port has the address. Connect by name`;
  }
  return `port ${port} of ${name} is not open: ${entriesFor(name, port)}`;
}

/** The entries of an allowlist that would open a port of a host, for people to read. */
export function entriesFor(host: string, port: number): string {
  return `tcp://${host}:${port} in the egress allowlist would allow it, or ${host}:${port} for HTTPS`;
}
