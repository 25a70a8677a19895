import "reflect-metadata";
import { KeyObject, randomBytes, webcrypto } from "node:crypto";
import {
  BasicConstraintsExtension,
  cryptoProvider,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { SecretValue } from "../vault/secret-value.ts";

const validityYears = 10;
/** Guests and hosts may have clocks that are behind. */
const backdatedMilliseconds = 24 * 3600 * 1000;

export interface CertificateAuthority {
  certificatePem: string;
  /** PKCS #8 in PEM. */
  privateKeyPem: SecretValue;
}

/**
 * A new self-signed authority: EC P-256, 10 years, which may sign end
 * certificates and nothing below another authority (RFC 5280, section
 * 4.2.1.9, `pathLenConstraint` 0).
 */
export async function makeCertificateAuthority(shortId: string): Promise<CertificateAuthority> {
  cryptoProvider.set(webcrypto);
  const signing = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const keys = await webcrypto.subtle.generateKey(signing, true, ["sign", "verify"]);
  const notBefore = new Date(Date.now() - backdatedMilliseconds);
  const notAfter = new Date(notBefore);
  notAfter.setUTCFullYear(notAfter.getUTCFullYear() + validityYears);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: positiveSerialNumber(),
    name: `CN=OpenComputer installation ${shortId}`,
    notBefore,
    notAfter,
    keys,
    signingAlgorithm: signing,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  const privateKeyPem = KeyObject.from(keys.privateKey).export({ type: "pkcs8", format: "pem" });
  return {
    certificatePem: `${certificate.toString("pem")}\n`,
    privateKeyPem: new SecretValue(privateKeyPem.toString()),
  };
}

/** RFC 5280, section 4.1.2.2: positive, at most 20 bytes. */
function positiveSerialNumber(): string {
  const bytes = randomBytes(16);
  bytes.writeUInt8((bytes.readUInt8(0) & 0x7f) | 0x40, 0);
  return bytes.toString("hex");
}
