import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createSecureContext, rootCertificates, type SecureContext } from "node:tls";
import { SettingsError } from "@opencomputer/protocol/wire";

const certificatePattern = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/**
 * Creates the TLS context for upstreams. It trusts Mozilla's roots, as Node
 * ships them, and the operator's. The host's certificate store is not used, so
 * that the same settings trust the same servers on every host.
 */
export function createUpstreamContext(caFile: string | undefined): SecureContext {
  const additional = caFile === undefined ? [] : readRoots(caFile);
  return createSecureContext({ ca: [...rootCertificates, ...additional], minVersion: "TLSv1.2" });
}

/**
 * Reads the certificates of a PEM file.
 *
 * @throws {SettingsError} when the file cannot be read, has no certificate, or
 * has a malformed one.
 */
export function readRoots(path: string): string[] {
  const certificates = readText(path).match(certificatePattern) ?? [];
  if (certificates.length === 0) {
    throw malformed(path, "has no certificate, expected one or more in PEM form");
  }
  for (const [index, certificate] of certificates.entries()) {
    try {
      new X509Certificate(certificate);
    } catch (cause) {
      throw malformed(path, `has a malformed certificate, number ${index + 1}`, cause);
    }
  }
  return certificates;
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw malformed(path, "cannot be read", cause);
  }
}

function malformed(path: string, finding: string, cause?: unknown): SettingsError {
  const error = new SettingsError(`OPENCOMPUTER_EGRESS_CA_FILE: ${path} ${finding}`);
  error.cause = cause;
  return error;
}
