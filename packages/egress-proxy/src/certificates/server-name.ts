import { isIP } from "node:net";
import { normalizeHost } from "@opencomputer/protocol";

/**
 * The canonical host that a TLS server name stands for; `undefined` for an
 * address (RFC 6066, section 3, allows names only) and for anything that is
 * no host name.
 */
export function hostFromServerName(serverName: string): string | undefined {
  const host = normalizeHost(serverName);
  return host === undefined || isIP(host) !== 0 ? undefined : host;
}
