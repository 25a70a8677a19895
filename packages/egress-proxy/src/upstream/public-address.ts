import { isIP } from "node:net";
import ipaddr from "ipaddr.js";

/** What an address turned out to be: the one to dial, or why it is refused. */
export type AddressVerdict =
  | { readonly allowed: true; readonly address: string }
  | { readonly allowed: false; readonly range: string };

/** NAT64 with the well-known prefix (RFC 6052, section 2.1) reaches the embedded IPv4 address. */
const nat64WellKnown = ipaddr.IPv6.parseCIDR("64:ff9b::/96");
/** RFC 4291, section 2.4 and the IANA registry: all global unicast is in here. */
const globalUnicast = ipaddr.IPv6.parseCIDR("2000::/3");

/** Judges one address, in any of its spellings. */
export type JudgeAddress = (text: string) => AddressVerdict;

/**
 * Tells whether an address is on the public internet and in none of the denied
 * ranges, judged in its canonical form.
 *
 * IPv4-mapped and NAT64 addresses are judged as the IPv4 address inside.
 * Everything with a special purpose is refused (RFC 6890 and the IANA special
 * purpose registries): private, shared, loopback, link-local, benchmarking,
 * documentation, multicast, reserved, and the IPv6 transition forms 6to4 and
 * Teredo, whose embedded IPv4 address another party's relay would dial.
 */
export function createAddressJudge(deniedRanges: readonly string[]): JudgeAddress {
  const denied = deniedRanges.map((text) => ({ text, range: ipaddr.parseCIDR(text) }));

  function deniedRangeOf(address: ipaddr.IPv4 | ipaddr.IPv6): string | undefined {
    const found = denied.find(({ range }) => {
      const [first, prefix] = range;
      return first.kind() === address.kind() && address.match(first, prefix);
    });
    return found && `denied: ${found.text}`;
  }

  function judgeIPv4(address: ipaddr.IPv4): AddressVerdict {
    const range = deniedRangeOf(address) ?? address.range();
    return range === "unicast"
      ? { allowed: true, address: address.toString() }
      : { allowed: false, range };
  }

  function judgeIPv6(address: ipaddr.IPv6): AddressVerdict {
    if (address.isIPv4MappedAddress()) return judgeIPv4(address.toIPv4Address());
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
