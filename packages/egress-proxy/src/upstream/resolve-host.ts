import { NODATA, NOTFOUND, Resolver } from "node:dns/promises";
import { DialError } from "../contract.ts";
import { errorCode } from "../describe-error.ts";
import type { ReadNameservers } from "./nameservers.ts";

/** Every address of a canonical host, IPv4 first. Rejects with `DialError` only. */
export type ResolveHost = (host: string, signal: AbortSignal) => Promise<readonly string[]>;

const queryTimeoutMilliseconds = 3_000;
const tries = 2;

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
    signal.addEventListener("abort", cancel, { once: true });
    const timer = setTimeout(cancel, deps.timeoutMilliseconds);
    try {
      const [ipv4, ipv6] = await Promise.allSettled([
        resolver.resolve4(host),
        resolver.resolve6(host),
      ]);
      const addresses = [ipv4, ipv6].flatMap((result) =>
        result.status === "fulfilled" ? result.value : [],
      );
      if (addresses.length > 0) return addresses;
      throw failureFor(
        host,
        [ipv4, ipv6].map((result) => (result.status === "rejected" ? result.reason : undefined)),
      );
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", cancel);
    }
  };
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

function failureFor(host: string, reasons: readonly unknown[]): DialError {
  const absent = reasons.every((reason) => {
    const code = errorCode(reason);
    return code === NOTFOUND || code === NODATA;
  });
  return new DialError(
    "name_not_resolved",
    absent
      ? `${host} could not be resolved: it has no address`
      : `${host} could not be resolved: no nameserver answered`,
    { cause: reasons[0] },
  );
}
