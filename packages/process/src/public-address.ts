import { isIP } from "node:net";
import { networkInterfaces } from "node:os";
import ipaddr from "ipaddr.js";

/** The verdict on an address: the address to dial, or the range for which it is refused. */
export type AddressVerdict =
  | { readonly allowed: true; readonly address: string }
  | { readonly allowed: false; readonly range: string };

/** NAT64 with the well-known prefix (RFC 6052, section 2.1) reaches the embedded IPv4 address. */
const nat64WellKnown = ipaddr.IPv6.parseCIDR("64:ff9b::/96");
/** All of IPv6's global unicast (RFC 4291, section 2.4, and the IANA registry). */
const globalUnicast = ipaddr.IPv6.parseCIDR("2000::/3");

/** Judges one address, in any of its spellings. */
export type JudgeAddress = (text: string) => AddressVerdict;

/**
 * Creates a judge of whether an address, in its canonical form, is in one of the opened
 * ranges, or on the public internet and in none of the denied ranges.
 *
 * IPv4-mapped and NAT64 addresses are judged as the IPv4 address inside.
 * Everything with a special purpose is refused (RFC 6890 and the IANA special
 * purpose registries): private, shared, loopback, link-local, benchmarking,
 * documentation, multicast, reserved, and the IPv6 transition forms 6to4 and
 * Teredo, whose embedded IPv4 address another party's relay would dial.
 */
export function createAddressJudge(
  deniedRanges: readonly string[],
  openedRanges: readonly string[] = [],
): JudgeAddress {
  const denied = parseRanges(deniedRanges);
  const opened = parseRanges(openedRanges);

  function deniedRangeOf(address: ipaddr.IPv4 | ipaddr.IPv6): string | undefined {
    const found = findRange(denied, address);
    return found && `denied: ${found.text}`;
  }

  function judgeIPv4(address: ipaddr.IPv4): AddressVerdict {
    if (findRange(opened, address)) return { allowed: true, address: address.toString() };
    const range = deniedRangeOf(address) ?? address.range();
    return range === "unicast"
      ? { allowed: true, address: address.toString() }
      : { allowed: false, range };
  }

  function judgeIPv6(address: ipaddr.IPv6): AddressVerdict {
    if (address.isIPv4MappedAddress()) return judgeIPv4(address.toIPv4Address());
    if (findRange(opened, address)) return { allowed: true, address: address.toString() };
    const deniedRange = deniedRangeOf(address);
    if (deniedRange !== undefined) return { allowed: false, range: deniedRange };
    if (address.match(nat64WellKnown)) {
      const embedded = judgeIPv4(new ipaddr.IPv4(address.toByteArray().slice(12)));
      return embedded.allowed ? { allowed: true, address: address.toString() } : embedded;
    }
    const range = address.range();
    return range === "unicast" && address.match(globalUnicast)
      ? { allowed: true, address: address.toString() }
      : { allowed: false, range: range === "unicast" ? "reserved" : range };
  }

  return (text) => {
    if (isIP(text) === 0) return { allowed: false, range: "not an address" };
    const parsed = ipaddr.parse(text.replace(/%.*$/, ""));
    return parsed instanceof ipaddr.IPv4 ? judgeIPv4(parsed) : judgeIPv6(parsed);
  };
}

interface Range {
  readonly text: string;
  readonly range: [ipaddr.IPv4 | ipaddr.IPv6, number];
}

function parseRanges(texts: readonly string[]): readonly Range[] {
  return texts.map((text) => ({ text, range: ipaddr.parseCIDR(text) }));
}

function findRange(ranges: readonly Range[], address: ipaddr.IPv4 | ipaddr.IPv6) {
  return ranges.find(({ range: [first, prefix] }) => {
    return first.kind() === address.kind() && address.match(first, prefix);
  });
}

/** How long the list of interfaces is cached. */
const refreshMilliseconds = 5_000;

/**
 * The addresses of this host. Guests must not reach a service of the host by
 * its public address either.
 */
export class OwnAddresses {
  readonly #now: () => number;
  #addresses: ReadonlySet<string> = new Set();
  #readAtMilliseconds = Number.NEGATIVE_INFINITY;

  constructor(deps: { now: () => number }) {
    this.#now = deps.now;
  }

  has(address: string): boolean {
    const now = this.#now();
    if (now - this.#readAtMilliseconds >= refreshMilliseconds) {
      this.#readAtMilliseconds = now;
      const interfaces = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
      this.#addresses = new Set(interfaces.map((entry) => entry.address));
    }
    return this.#addresses.has(address);
  }
}
