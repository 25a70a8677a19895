import { isIP } from "node:net";
import { normalizeHost, WireError } from "@opencomputer/protocol/api";
import { isInSandboxDomain } from "@opencomputer/protocol/wire";
import type { IsApiName } from "./api-names.ts";

/** Which host names are the API's, and which belong to the platform. */
export interface ReservedHosts {
  sandboxDomain: string;
  isApiName: IsApiName;
  /** Whether OPENCOMPUTER_PUBLIC_URL is set. */
  hasPublicUrl: boolean;
  /** Whether the API listens on the loopback alone, so that no name of the network leads to it. */
  isLocalOnly: boolean;
}

/**
 * The host name that a caller wants for a preview. A name by which the API
 * itself may be reached is refused: its requests, with all they carry, would
 * go to the sandbox.
 *
 * @param requestHost Where this very request reached the API.
 * @throws {WireError} `invalid_request`, `unsupported_option`
 */
export function readCustomHostname(
  domain: string,
  reserved: ReservedHosts,
  requestHost: string | undefined,
): string {
  const host = normalizeHost(domain);
  if (host === undefined || !host.includes(".") || isIP(host) !== 0) {
    throw new WireError(
      "invalid_request",
      `domain: expected a host name such as app.example.com, found ${JSON.stringify(domain)}`,
    );
  }
  const { sandboxDomain, isApiName } = reserved;
  const isPlatforms = host === sandboxDomain || isInSandboxDomain(host, sandboxDomain);
  const isLocal = host.endsWith(".localhost");
  if (isPlatforms || isLocal || isApiName(host) || host === requestHost) {
    throw new WireError(
      "invalid_request",
      `domain: ${host} is a name of this installation: choose one of your own`,
    );
  }
  if (!reserved.hasPublicUrl && !reserved.isLocalOnly) {
    throw new WireError(
      "unsupported_option",
      "domain: this server does not know its own name, which no preview may have: set OPENCOMPUTER_PUBLIC_URL, or leave domain out",
      { remediation: "OPENCOMPUTER_PUBLIC_URL" },
    );
  }
  return host;
}
