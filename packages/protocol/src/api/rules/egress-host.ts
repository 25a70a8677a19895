import { HostPatternError, hostMatches, normalizeHostPattern } from "./host-pattern.ts";

/**
 * The entries of an egress allowlist, and the hosts of a secret. All processes use this definition:
 *
 * - `HOST`: HTTPS on port 443 and HTTP on port 80, through the proxy;
 * - `HOST:PORT`: HTTPS on another port, through the proxy;
 * - `tcp://HOST:PORT`: a stream that the proxy passes on as it is, in which no secret is used. Only in an allowlist.
 *
 * HOST is a host pattern: a host, or `*.` and a suffix.
 */
export interface EgressHostEntry {
  readonly protocol: "https" | "tcp";
  readonly pattern: string;
  /** Null for ports 443 and 80. */
  readonly port: number | null;
}

/** Ports that an entry cannot have: what they carry is decided already. */
const fixedPorts: ReadonlyMap<number, string> = new Map([
  [443, "is open for every host of the list: write only the host"],
  [80, "is open for every host of the list: write only the host"],
  [53, "always reaches the sandbox's own resolver"],
]);
const tcpScheme = "tcp://";

/**
 * The canonical form of an entry of an egress allowlist.
 *
 * @throws {HostPatternError}
 */
export function normalizeAllowlistEntry(text: string): string {
  const entry = text.trim();
  if (entry.slice(0, tcpScheme.length).toLowerCase() !== tcpScheme) return normalizeHttpsHost(text);
  const rest = entry.slice(tcpScheme.length);
  const { host, port } = splitPort(text, rest);
  if (port === null) throw new HostPatternError(text, "has no port: write tcp://HOST:PORT");
  return `${tcpScheme}${patternOf(text, host)}:${port}`;
}

/**
 * The canonical form of a host of a secret.
 *
 * @throws {HostPatternError}
 */
export function normalizeSecretHost(text: string): string {
  if (text.trim().slice(0, tcpScheme.length).toLowerCase() !== tcpScheme) {
    return normalizeHttpsHost(text);
  }
  throw new HostPatternError(
    text,
    "is an opaque stream, in which no secret is used: write HOST:PORT for HTTPS on that port",
  );
}

/** Parses an entry in its canonical form. */
export function parseEgressHost(entry: string): EgressHostEntry {
  const isTcp = entry.startsWith(tcpScheme);
  const rest = isTcp ? entry.slice(tcpScheme.length) : entry;
  const colon = rest.indexOf(":");
  return {
    protocol: isTcp ? "tcp" : "https",
    pattern: colon < 0 ? rest : rest.slice(0, colon),
    port: colon < 0 ? null : Number(rest.slice(colon + 1)),
  };
}

/** Whether a canonical list opens an opaque stream to a canonical host at a port. */
export function allowsStream(entries: readonly string[], host: string, port: number): boolean {
  return entries.some((entry) => {
    const parsed = parseEgressHost(entry);
    return parsed.protocol === "tcp" && parsed.port === port && hostMatches(parsed.pattern, host);
  });
}

/** The ports besides 443 and 80 that a canonical list opens, in ascending order. */
export function otherPortsOf(entries: readonly string[]): number[] {
  const ports = entries.map((entry) => parseEgressHost(entry).port);
  return [...new Set(ports.filter((port) => port !== null))].sort((a, b) => a - b);
}

function normalizeHttpsHost(text: string): string {
  const entry = text.trim();
  if (entry.includes("://")) {
    throw new HostPatternError(
      text,
      "has a scheme: write only the host, or tcp://HOST:PORT for a protocol other than HTTPS",
    );
  }
  const { host, port } = splitPort(text, entry);
  const pattern = port === null ? normalizeHostPattern(text) : patternOf(text, host);
  return port === null ? pattern : `${pattern}:${port}`;
}

function splitPort(text: string, entry: string): { host: string; port: number | null } {
  const colon = entry.lastIndexOf(":");
  if (colon < 0 || entry.includes("/")) return { host: entry, port: null };
  const digits = entry.slice(colon + 1);
  const port = /^\d{1,5}$/.test(digits) ? Number(digits) : 0;
  if (port < 1 || port > 65_535) {
    throw new HostPatternError(text, "has a port that is not a number from 1 to 65535");
  }
  const reason = fixedPorts.get(port);
  if (reason !== undefined) throw new HostPatternError(text, `has a port that ${reason}`);
  return { host: entry.slice(0, colon), port };
}

/** The canonical host pattern; an error names the whole entry. */
function patternOf(text: string, host: string): string {
  try {
    return normalizeHostPattern(host);
  } catch (error) {
    if (error instanceof HostPatternError) throw new HostPatternError(text, error.reason);
    throw error;
  }
}
