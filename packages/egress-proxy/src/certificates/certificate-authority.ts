import "reflect-metadata";
import { createPrivateKey, type KeyObject, X509Certificate as NodeCertificate } from "node:crypto";
import { WireError } from "@opencomputer/protocol/api";
import type { CertificateAuthorityKeys } from "@opencomputer/protocol/wire";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
} from "@peculiar/x509";

/** The installation's CA, ready to sign. */
export interface CertificateAuthority {
  readonly certificate: X509Certificate;
  /** Its distinguished name, encoded: the issuer of its certificates. */
  readonly subject: Buffer;
  readonly signingKey: KeyObject;
  readonly authorityKeyIdentifier: AuthorityKeyIdentifierExtension;
}

/**
 * Imports the CA that the control plane sends.
 *
 * @throws {WireError} `invalid_request` when the certificate is malformed or not a
 * CA's, or when the key is not its P-256 key. Neither is quoted.
 */
export async function importCertificateAuthority(
  keys: CertificateAuthorityKeys,
): Promise<CertificateAuthority> {
  const certificate = readCertificate(keys.certificatePem);
  const privateKey = readPrivateKey(keys.privateKeyPem);
  if (privateKey.asymmetricKeyDetails?.namedCurve !== "prime256v1") {
    throw new WireError(
      "invalid_request",
      `privateKeyPem is a ${privateKey.asymmetricKeyType ?? "symmetric"} key, expected an EC key on P-256`,
    );
  }
  if (!new NodeCertificate(keys.certificatePem).checkPrivateKey(privateKey)) {
    throw new WireError(
      "invalid_request",
      "privateKeyPem is not the key of certificatePem: send the two of one CA",
    );
  }
  if (certificate.getExtension(BasicConstraintsExtension)?.ca !== true) {
    throw new WireError(
      "invalid_request",
      "certificatePem is no CA certificate: its basic constraints do not have CA:TRUE",
    );
  }
  return {
    certificate,
    subject: Buffer.from(certificate.subjectName.toArrayBuffer()),
    signingKey: privateKey,
    authorityKeyIdentifier: await authorityKeyIdentifierOf(certificate),
  };
}

function readCertificate(pem: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    throw new WireError("invalid_request", "certificatePem is not an X.509 certificate", { cause });
  }
}

function readPrivateKey(pem: string): ReturnType<typeof createPrivateKey> {
  try {
    return createPrivateKey(pem);
  } catch {
    // The cause is left out: the library's message may quote the key.
    throw new WireError("invalid_request", "privateKeyPem is not a private key in PKCS #8 form");
  }
}

/** RFC 5280, section 4.2.1.1: the identifier that the CA's own certificate states. */
async function authorityKeyIdentifierOf(
  certificate: X509Certificate,
): Promise<AuthorityKeyIdentifierExtension> {
  const subject = certificate.getExtension(SubjectKeyIdentifierExtension);
  return subject === null
    ? await AuthorityKeyIdentifierExtension.create(certificate.publicKey)
    : new AuthorityKeyIdentifierExtension(subject.keyId);
}
