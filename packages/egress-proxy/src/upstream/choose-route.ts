import { isIP } from "node:net";
import { anyHostMatches } from "@opencomputer/protocol/api";
import type { UpstreamProxy, UpstreamProxyExceptions } from "@opencomputer/protocol/wire";
import ipaddr from "ipaddr.js";
import { LRUCache } from "lru-cache";
import {
  addressesMax,
  type CheckedAddress,
  type ChooseAddressesDependencies,
  checkAddress,
  chooseAddresses,
  notPublic,
} from "./choose-addresses.ts";
import { type Destination, DialError, splitHost } from "./destination.ts";

/** How a destination is reached: at addresses that were checked, or by a tunnel of the operator's proxy. */
export type Route =
  | { readonly kind: "direct"; readonly targets: readonly CheckedAddress[] }
  | { readonly kind: "tunnel"; readonly proxy: UpstreamProxy; readonly port: number };

/** The operator's proxy, and the destinations that are reached without it. */
export interface UpstreamProxyUse {
  readonly proxy: UpstreamProxy;
  isExceptedHost(host: string): boolean;
  isExceptedAddress(address: string): boolean;
  /** Hosts that could not be resolved a moment ago, so that not each connection waits for that. */
  readonly unresolved: LRUCache<string, true>;
}

export interface ChooseRouteDependencies extends ChooseAddressesDependencies {
  readonly upstreamProxy: UpstreamProxyUse | undefined;
}

/**
 * Longest wait for the addresses of a host that the operator's proxy resolves.
 * Many networks with such a proxy have no nameserver for public names.
 */
const resolutionMilliseconds = 1_000;
const unresolvedHostsMax = 512;
const unresolvedMilliseconds = 60_000;

/** Names of private networks: RFC 6761, RFC 6762 with its appendix G, and RFC 8375. */
const privateName =
  /^[^.]+$|(?:^|\.)(?:localhost|local|internal|intranet|private|corp|home|lan|home\.arpa)$/;

export function createUpstreamProxyUse(
  proxy: UpstreamProxy | undefined,
  { hostPatterns, ranges }: UpstreamProxyExceptions,
): UpstreamProxyUse | undefined {
  if (proxy === undefined) return undefined;
  const parsedRanges = ranges.map((range) => ipaddr.parseCIDR(range));
  return {
    proxy,
    isExceptedHost: (host) => anyHostMatches(hostPatterns, host),
    isExceptedAddress(text) {
      const address = ipaddr.parse(text);
      return parsedRanges.some(
        ([first, prefix]) => first.kind() === address.kind() && address.match(first, prefix),
      );
    },
    unresolved: new LRUCache({ max: unresolvedHostsMax, ttl: unresolvedMilliseconds }),
  };
}

/**
 * Chooses how a destination is reached. The operator's addresses and exceptions
 * are dialled directly. Everything else passes through the operator's proxy, by
 * its name, because such proxies decide by names. The proxy then resolves it, and no
 * address can be prescribed, so a host is refused if any of its addresses, as
 * far as it can be resolved here, is not on the public internet.
 *
 * Rejects with `DialError`.
 */
export async function chooseRoute(
  deps: ChooseRouteDependencies,
  destination: Destination,
  signal: AbortSignal,
): Promise<Route> {
  const { upstreamProxy } = deps;
  const { name, port } = splitHost(destination);
  if (
    upstreamProxy === undefined ||
    deps.operatorHosts.addressFor(destination) !== undefined ||
    upstreamProxy.isExceptedHost(name)
  ) {
    return { kind: "direct", targets: await chooseAddresses(deps, destination, signal) };
  }
  const addresses = await publicAddressesOf(deps, upstreamProxy, name, signal);
  if (addresses.length > 0 && addresses.every(upstreamProxy.isExceptedAddress)) {
    const targets = addresses.slice(0, addressesMax).map((address) => ({ address, port }));
    return { kind: "direct", targets };
  }
  return { kind: "tunnel", proxy: upstreamProxy.proxy, port };
}

/** Resolves to a host's addresses, none when it cannot be resolved here. Rejects when one is not public. */
async function publicAddressesOf(
  deps: ChooseRouteDependencies,
  { unresolved }: UpstreamProxyUse,
  host: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const isName = isIP(host) === 0;
  if (isName && privateName.test(host))
    throw notPublic(host, "its name is that of a private network");
  let found: readonly string[] = [host];
  if (isName) found = unresolved.has(host) ? [] : await resolveBriefly(deps, host, signal);
  if (found.length === 0 && !signal.aborted) unresolved.set(host, true);
  return found.map((text) => {
    const checked = checkAddress(deps, text);
    if (checked.refusal !== undefined) throw notPublic(host, `its address is ${checked.refusal}`);
    return checked.address;
  });
}

async function resolveBriefly(
  { resolveHost }: ChooseRouteDependencies,
  host: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  try {
    const ending = AbortSignal.any([signal, AbortSignal.timeout(resolutionMilliseconds)]);
    return await resolveHost(host, ending);
  } catch (error) {
    if (error instanceof DialError && error.failure === "name_not_resolved") return [];
    throw error;
  }
}
