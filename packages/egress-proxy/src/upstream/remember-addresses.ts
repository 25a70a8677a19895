import { LRUCache } from "lru-cache";

type ResolveHost = (host: string, signal: AbortSignal) => Promise<readonly string[]>;

const hostsMax = 1024;
const rememberedMilliseconds = 5_000;

/**
 * Makes a `resolveHost` that remembers for a moment what a host resolved to, or that it
 * did not, so that many connections cost one lookup. It is for decisions about names that are
 * resolved again before they are dialled: the addresses may be out of date.
 */
export function rememberAddresses(
  resolveHost: ResolveHost,
  clock: { now(): number } = performance,
): ResolveHost {
  const lookups = new LRUCache<string, Promise<readonly string[]>>({
    max: hostsMax,
    ttl: rememberedMilliseconds,
    ttlResolution: 0,
    perf: clock,
  });
  return (host) => {
    const known = lookups.get(host);
    if (known !== undefined) return known;
    // Others wait for it, too, so that no one of them ends it.
    const lookup = resolveHost(host, AbortSignal.timeout(rememberedMilliseconds));
    lookups.set(host, lookup);
    return lookup;
  };
}
