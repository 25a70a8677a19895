import { anyHostMatches, normalizeHost } from "@opencomputer/protocol/api";

/** Whether a canonical host is a name that the operator gave the API, so that it is no sandbox's. */
export type IsApiName = (host: string) => boolean;

export function createIsApiName(options: {
  /** Canonical host patterns of OPENCOMPUTER_ALLOWED_HOSTS. */
  allowedHosts: readonly string[];
  publicUrl: string | undefined;
}): IsApiName {
  const { allowedHosts, publicUrl } = options;
  const publicHost = publicUrl === undefined ? undefined : new URL(publicUrl).hostname;
  // An address is no host name and stays as it is.
  const canonicalHost = publicHost === undefined ? undefined : normalizeHost(publicHost);
  return (host) =>
    host === publicHost || host === canonicalHost || anyHostMatches(allowedHosts, host);
}
