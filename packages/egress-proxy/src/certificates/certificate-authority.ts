import "reflect-metadata";
import { createPrivateKey, X509Certificate as NodeCertificate, webcrypto } from "node:crypto";
import { type CertificateAuthorityKeys, WireError } from "@opencomputer/protocol";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
} from "@peculiar/x509";

/** The installation's CA, ready to sign. */
export interface CertificateAuthority {
  readonly certificate: X509Certificate;
  readonly signingKey: webcrypto.CryptoKey;
  readonly authorityKeyIdentifier: AuthorityKeyIdentifierExtension;
}

export const ecdsaP256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

/**
 * Reads the CA that the control plane hands over.
 *
 * @throws {WireError} `invalid_request` when the certificate is none or no
 * CA, or when the key is not its P-256 key. Neither is quoted.
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
      "certificatePem is no CA certificate: its basic constraints do not say CA:TRUE",
    );
  }
  const signingKey = await webcrypto.subtle.importKey(
    "pkcs8",
    privateKey.export({ format: "der", type: "pkcs8" }),
    ecdsaP256,
    false,
    ["sign"],
  );
  return {
    certificate,
    signingKey,
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
