import { createSecureContext, rootCertificates, type SecureContext } from "node:tls";
import { readRoots } from "@opencomputer/process";

/**
 * Creates the TLS context for upstreams. It trusts Mozilla's roots, as Node
 * ships them, and the operator's. The host's certificate store is not used, so
 * that the same settings trust the same servers on every host.
 *
 * @throws {SettingsError} for a file that cannot be read, or has no valid certificates.
 */
export function createUpstreamContext(caFile: string | undefined): SecureContext {
  const additional = caFile === undefined ? [] : readRoots("OPENCOMPUTER_EGRESS_CA_FILE", caFile);
  return createSecureContext({ ca: [...rootCertificates, ...additional], minVersion: "TLSv1.2" });
}
