import { NODATA, NOTFOUND, Resolver } from "node:dns/promises";
import { setTimeout as delay } from "node:timers/promises";
import { errorCode } from "../logging/describe-error.ts";
import { DialError } from "./destination.ts";

const queryTimeoutMilliseconds = 3_000;
const tries = 2;
/** Longest wait for IPv6 addresses once IPv4 ones are known: some nameservers never respond. */
const secondFamilyMilliseconds = 50;

/** The result of one query: addresses, or why there are none. */
interface QueryResult {
  readonly addresses: readonly string[];
  readonly failure: unknown;
}

/**
 * Resolves a canonical host to every address it has, IPv4 first, by DNS alone.
 * The hosts file and search domains of the proxy's host are not used: they
 * name what is private to it. Rejects with `DialError` only.
 */
export async function resolveHost(
  deps: { readNameservers: () => Promise<readonly string[]>; timeoutMilliseconds: number },
  host: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const resolver = new Resolver({ timeout: queryTimeoutMilliseconds, tries });
  resolver.setServers([...(await nameserversFor(host, deps.readNameservers))]);
  const cancel = (): void => resolver.cancel();
  const timer = setTimeout(cancel, deps.timeoutMilliseconds);
  signal.addEventListener("abort", cancel, { once: true });
  try {
    const ipv6Query = resultOf(resolver.resolve6(host));
    const ipv4 = await resultOf(resolver.resolve4(host));
    const ipv6 =
      ipv4.addresses.length === 0
        ? await ipv6Query
        : await Promise.race([ipv6Query, delay(secondFamilyMilliseconds, undefined)]);
    const addresses = [...ipv4.addresses, ...(ipv6?.addresses ?? [])];
    if (addresses.length > 0) return addresses;
    throw failureFor(host, [ipv4.failure, ipv6?.failure]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", cancel);
    cancel();
  }
}

async function resultOf(query: Promise<string[]>): Promise<QueryResult> {
  try {
    return { addresses: await query, failure: null };
  } catch (failure) {
    return { addresses: [], failure };
  }
}

async function nameserversFor(
  host: string,
  readNameservers: () => Promise<readonly string[]>,
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
