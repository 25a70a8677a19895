import { NODATA, NOTFOUND, Resolver } from "node:dns/promises";
import { setTimeout as delay } from "node:timers/promises";
import { DialError } from "../contract.ts";
import { errorCode } from "../describe-error.ts";
import type { ReadNameservers } from "./nameservers.ts";

/** Every address of a canonical host, IPv4 first. Rejects with `DialError` only. */
export type ResolveHost = (host: string, signal: AbortSignal) => Promise<readonly string[]>;

const queryTimeoutMilliseconds = 3_000;
const tries = 2;
/** With IPv4 addresses at hand, IPv6 ones are waited for this long: some nameservers never answer. */
const secondFamilyMilliseconds = 50;

/** What one query came to: addresses, or why there are none. */
type Answer = { readonly addresses: readonly string[]; readonly failure: unknown };

/**
 * Resolves names by DNS alone. The hosts file and search domains of the
 * proxy's host do not count: they name what is private to it.
 */
export function createResolveHost(deps: {
  readNameservers: ReadNameservers;
  timeoutMilliseconds: number;
}): ResolveHost {
  return async (host, signal) => {
    const resolver = new Resolver({ timeout: queryTimeoutMilliseconds, tries });
    resolver.setServers([...(await nameserversFor(host, deps.readNameservers))]);
    const cancel = (): void => resolver.cancel();
    const timer = setTimeout(cancel, deps.timeoutMilliseconds);
    signal.addEventListener("abort", cancel, { once: true });
    try {
      const asked = settle(resolver.resolve6(host));
      const ipv4 = await settle(resolver.resolve4(host));
      const ipv6 =
        ipv4.addresses.length === 0
          ? await asked
          : await Promise.race([asked, delay(secondFamilyMilliseconds, undefined)]);
      const addresses = [...ipv4.addresses, ...(ipv6?.addresses ?? [])];
      if (addresses.length > 0) return addresses;
      throw failureFor(host, [ipv4.failure, ipv6?.failure]);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", cancel);
      cancel();
    }
  };
}

async function settle(query: Promise<string[]>): Promise<Answer> {
  try {
    return { addresses: await query, failure: null };
  } catch (failure) {
    return { addresses: [], failure };
  }
}

async function nameserversFor(
  host: string,
  readNameservers: ReadNameservers,
): Promise<readonly string[]> {
  try {
    return await readNameservers();
  } catch (cause) {
    throw new DialError(
      "name_not_resolved",
      `${host} could not be resolved: the proxy cannot read which nameservers to ask`,
      { cause },
    );
  }
}

function failureFor(host: string, failures: readonly unknown[]): DialError {
  const absent = failures.every((failure) => {
    const code = errorCode(failure);
    return code === NOTFOUND || code === NODATA;
  });
  return new DialError(
    "name_not_resolved",
    absent
      ? `${host} could not be resolved: it has no address`
      : `${host} could not be resolved: no nameserver responded`,
    { cause: failures[0] },
  );
}
