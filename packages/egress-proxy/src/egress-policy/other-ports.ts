import { hostMatches, parseEgressHost } from "@opencomputer/protocol/api";

/** What an allowlist opens besides ports 443 and 80. Hosts are canonical. */
export interface OtherPorts {
  /** Whether any entry is for the host, at whatever port: its name may be resolved. */
  hasHost(host: string): boolean;
  /** Whether an entry opens another port of the host. */
  hasPortOf(host: string): boolean;
  /** Whether some host may be reached by HTTPS at the port. */
  hasHttps(port: number): boolean;
  allowsStream(host: string, port: number): boolean;
  /** The hosts that a stream to the port may be meant for, without those of wildcards. */
  exactStreamHosts(port: number): readonly string[];
}

/** Reads the other ports from a canonical allowlist. */
export function readOtherPorts(egressAllowlist: readonly string[]): OtherPorts {
  const entries = egressAllowlist.map(parseEgressHost);
  const withPort = entries.filter(({ port }) => port !== null);
  const streams = withPort.filter(({ protocol }) => protocol === "tcp");
  const has = (list: typeof entries, host: string) =>
    list.some(({ pattern }) => hostMatches(pattern, host));
  const streamsTo = (port: number) => streams.filter((entry) => entry.port === port);
  return Object.freeze({
    hasHost: (host: string) => has(entries, host),
    hasPortOf: (host: string) => has(withPort, host),
    hasHttps: (port: number) =>
      withPort.some((entry) => entry.protocol === "https" && entry.port === port),
    allowsStream: (host: string, port: number) => has(streamsTo(port), host),
    exactStreamHosts: (port: number) =>
      streamsTo(port)
        .map(({ pattern }) => pattern)
        .filter((pattern) => !pattern.startsWith("*.")),
  });
}
