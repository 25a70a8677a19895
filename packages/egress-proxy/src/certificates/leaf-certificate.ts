import "reflect-metadata";
import { randomBytes, webcrypto } from "node:crypto";
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { type CertificateAuthority, ecdsaP256 } from "./certificate-authority.ts";

/**
 * The key pair of every leaf certificate of this process. One pair for all
 * hosts saves a key generation a host, and costs nothing: whoever reads one
 * leaf key from the proxy's memory reads the CA's key there too.
 */
export interface LeafKey {
  readonly publicKey: webcrypto.CryptoKey;
  readonly privateKeyPem: string;
  readonly subjectKeyIdentifier: SubjectKeyIdentifierExtension;
}

const dayMilliseconds = 24 * 3600 * 1000;
/** A restored guest's clock stands in the past until it is set. */
const backdatedMilliseconds = 2 * dayMilliseconds;
const validMilliseconds = 7 * dayMilliseconds;
/** RFC 5280, appendix A.1: `ub-common-name`. */
const commonNameCharactersMax = 64;

export async function createLeafKey(): Promise<LeafKey> {
  const pair = await webcrypto.subtle.generateKey(ecdsaP256, true, ["sign", "verify"]);
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", pair.privateKey));
  const lines = pkcs8.toString("base64").replace(/.{64}(?=.)/g, "$&\n");
  return {
    publicKey: pair.publicKey,
    privateKeyPem: `-----BEGIN PRIVATE KEY-----\n${lines}\n-----END PRIVATE KEY-----\n`,
    subjectKeyIdentifier: await SubjectKeyIdentifierExtension.create(pair.publicKey),
  };
}

/**
 * A server certificate for one canonical host, as PEM: valid from two days
 * ago for seven days from now, though not beyond its CA.
 */
export async function issueLeafCertificate(options: {
  authority: CertificateAuthority;
  leafKey: LeafKey;
  host: string;
  now: Date;
}): Promise<string> {
  const { authority, leafKey, host, now } = options;
  const notAfter = Math.min(
    now.getTime() + validMilliseconds,
    authority.certificate.notAfter.getTime(),
  );
  const certificate = await X509CertificateGenerator.create({
    serialNumber: positiveSerialNumber(),
    subject:
      host.length <= commonNameCharactersMax ? [{ CN: [host] }] : [{ O: ["OpenComputer egress"] }],
    issuer: authority.certificate.subjectName,
    notBefore: new Date(now.getTime() - backdatedMilliseconds),
    notAfter: new Date(notAfter),
    publicKey: leafKey.publicKey,
    signingKey: authority.signingKey,
    signingAlgorithm: ecdsaP256,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
      new SubjectAlternativeNameExtension([{ type: "dns", value: host }]),
      leafKey.subjectKeyIdentifier,
      authority.authorityKeyIdentifier,
    ],
  });
  return certificate.toString("pem");
}

/** RFC 5280, section 4.1.2.2: positive, unique, at most 20 octets. */
function positiveSerialNumber(): string {
  return `4${randomBytes(16).toString("hex").slice(1)}`;
}
