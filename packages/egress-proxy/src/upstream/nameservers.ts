import { readFile } from "node:fs/promises";
import { isIP } from "node:net";

/** The nameservers to ask, in order. Rejects when the file cannot be read. */
export type ReadNameservers = () => Promise<readonly string[]>;

/** How long the file is believed: a host's nameservers change when its network does. */
const refreshMilliseconds = 5_000;
/** resolv.conf(5): MAXNS. */
const nameserversMax = 3;

/**
 * Reads the host's nameservers from a file in the form of resolv.conf(5).
 * Without any, it is the local host's, as the manual says.
 */
export function createReadNameservers(deps: { path: string; now: () => number }): ReadNameservers {
  let nameservers: Promise<readonly string[]> | undefined;
  let readAtMilliseconds = 0;

  return async () => {
    const now = deps.now();
    if (nameservers === undefined || now - readAtMilliseconds >= refreshMilliseconds) {
      readAtMilliseconds = now;
      nameservers = readFile(deps.path, "utf8").then(parseNameservers);
    }
    return await nameservers;
  };
}

export function parseNameservers(text: string): readonly string[] {
  const addresses = text
    .split("\n")
    .map((line) => /^\s*nameserver\s+(?<address>\S+)/.exec(line)?.groups?.["address"])
    .filter((address): address is string => address !== undefined && isIP(address) !== 0)
    .slice(0, nameserversMax);
  return addresses.length === 0 ? ["127.0.0.1"] : addresses;
}
