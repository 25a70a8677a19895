import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { SettingsError } from "@opencomputer/protocol/wire";

const certificatePattern = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/**
 * Reads the certificates of a PEM file that a setting names.
 *
 * @throws {SettingsError} naming the setting, when the file cannot be read, has no
 * certificate, or has a malformed one.
 */
export function readRoots(settingName: string, path: string): string[] {
  const malformed = (finding: string, cause?: unknown): SettingsError => {
    const error = new SettingsError(`${settingName}: ${path} ${finding}`);
    error.cause = cause;
    return error;
  };
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw malformed("cannot be read", cause);
  }
  const certificates = text.match(certificatePattern) ?? [];
  if (certificates.length === 0) {
    throw malformed("has no certificate, expected one or more in PEM form");
  }
  for (const [index, certificate] of certificates.entries()) {
    try {
      new X509Certificate(certificate);
    } catch (cause) {
      throw malformed(`has a malformed certificate, number ${index + 1}`, cause);
    }
  }
  return certificates;
}
