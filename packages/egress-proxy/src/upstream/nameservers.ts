import { readFile } from "node:fs/promises";
import { isIP } from "node:net";

/** How long the content of the file is cached: a host's nameservers change when its network does. */
const refreshMilliseconds = 5_000;
/** resolv.conf(5): MAXNS. */
const nameserversMax = 3;

/** The nameservers of the host, from a file in the form of resolv.conf(5). */
export class Nameservers {
  readonly #path: string;
  readonly #now: () => number;
  #read: Promise<readonly string[]> | undefined;
  #readAtMilliseconds = 0;

  constructor(deps: { path: string; now: () => number }) {
    this.#path = deps.path;
    this.#now = deps.now;
  }

  /** Resolves to the nameservers to query, in order. Rejects when the file cannot be read. */
  async read(): Promise<readonly string[]> {
    const now = this.#now();
    if (this.#read === undefined || now - this.#readAtMilliseconds >= refreshMilliseconds) {
      this.#readAtMilliseconds = now;
      this.#read = readFile(this.#path, "utf8").then(parseNameservers);
    }
    return await this.#read;
  }
}

/** Parses resolv.conf(5). Without any nameserver it is the local host's, as the manual specifies. */
export function parseNameservers(text: string): readonly string[] {
  const addresses = text
    .split("\n")
    .map((line) => /^\s*nameserver\s+(?<address>\S+)/.exec(line)?.groups?.["address"])
    .filter((address): address is string => address !== undefined && isIP(address) !== 0)
    .slice(0, nameserversMax);
  return addresses.length === 0 ? ["127.0.0.1"] : addresses;
}
