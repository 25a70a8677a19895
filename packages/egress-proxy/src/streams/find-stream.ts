import type { SessionPolicy } from "../egress-policy/session-policy.ts";
import { type GivenNames, usualAliasOf } from "../resolver/given-names.ts";
import { DialError, joinHost } from "../upstream/destination.ts";

/** What a connection to another port than 443 and 80 is: HTTPS to be intercepted, an opaque stream, or refused. */
export type FoundStream =
  | { readonly kind: "https" }
  | { readonly kind: "tcp"; readonly name: string }
  | { readonly kind: "refused"; readonly host: string | null; readonly reason: string };

export interface FindStreamDependencies {
  readonly givenNames: GivenNames;
  /** Every address of a canonical host. Rejects with `DialError` only. */
  readonly resolveHost: (host: string, signal: AbortSignal) => Promise<readonly string[]>;
}

/** Most names that are resolved to recognize an address that this proxy did not give. */
const resolvedNamesMax = 16;

/**
 * Finds what a sandbox's connection to an address is meant for. A stream is
 * meant for the name that the address was given for; after a restart of the
 * proxy and in a fork, for the one name of the allowlist that has the address
 * now. An address alone opens nothing.
 */
export async function findStream(
  deps: FindStreamDependencies,
  policy: SessionPolicy,
  { address, port }: { address: string; port: number },
  signal: AbortSignal,
): Promise<FoundStream> {
  const { otherPorts, sandboxId } = policy;
  const names = deps.givenNames.namesAt(sandboxId, address);
  const isHttps = names.some((name) => policy.refusalFor(joinHost("https", name, port)) === null);
  if (isHttps && otherPorts.hasHttps(port)) return { kind: "https" };
  const given = names.find((name) => otherPorts.allowsStream(name, port));
  if (given !== undefined) return { kind: "tcp", name: given };
  const found = await findByAddress(deps, policy, address, port, signal);
  if (found !== undefined) {
    deps.givenNames.record(sandboxId, found, [address]);
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

async function findByAddress(
  deps: FindStreamDependencies,
  { otherPorts }: SessionPolicy,
  address: string,
  port: number,
  signal: AbortSignal,
): Promise<string | undefined> {
  const candidates = otherPorts.exactStreamHosts(port).slice(0, resolvedNamesMax);
  const alias = candidates.find((name) => usualAliasOf(name) === address);
  if (alias !== undefined) return alias;
  const isMeant = await Promise.all(
    candidates.map(async (name) => (await addressesOf(deps, name, signal)).includes(address)),
  );
  return candidates.find((_, index) => isMeant[index] === true);
}

async function addressesOf(
  deps: FindStreamDependencies,
  name: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  try {
    return await deps.resolveHost(name, signal);
  } catch (error) {
    // A name that has no address is not what the address is meant for.
    if (error instanceof DialError) return [];
    throw error;
  }
}
