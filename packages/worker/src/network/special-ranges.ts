/**
 * IPv4 ranges that are not the public internet (RFC 6890, RFC 5771 and
 * RFC 1112 section 4): no guest may reach them.
 */
export const specialRanges = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/4",
  "240.0.0.0/4",
] as const;

/**
 * Where no connection to an open port of an allowlist leads: the special ranges but
 * 169.254.1.0 to 169.254.127.255, of which the proxy's resolver gives addresses to
 * names that have none of their own.
 */
export const closedToStreams = [
  ...specialRanges.filter((range) => range !== "169.254.0.0/16"),
  "169.254.0.0/24",
  "169.254.128.0/17",
] as const;

/** The IPv4 ranges: rules for guests need no others, since all IPv6 of guests is dropped. */
export function ipv4Only(ranges: readonly string[]): string[] {
  return ranges.filter((range) => !range.includes(":"));
}
