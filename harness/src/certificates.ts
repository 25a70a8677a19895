import "reflect-metadata";
import { webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const dayMilliseconds = 24 * 3600 * 1000;

/** A certificate and its key, both PEM. */
export interface KeyPair {
  certificatePem: string;
  privateKeyPem: string;
}

/** An authority that can issue certificates for hosts. */
export interface Authority extends KeyPair {
  certificate: x509.X509Certificate;
  privateKey: webcrypto.CryptoKey;
}

export async function createAuthority(commonName: string): Promise<Authority> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${commonName}`,
    ...validity(),
    keys,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
    ],
  });
  return {
    certificate,
    privateKey: keys.privateKey,
    certificatePem: certificate.toString("pem"),
    privateKeyPem: await toPem(keys.privateKey),
  };
}

/** One certificate for all of these hosts. */
export async function issueCertificate(authority: Authority, hosts: string[]): Promise<KeyPair> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.create({
    subject: "CN=simulated host",
    issuer: authority.certificate.subject,
    ...validity(),
    publicKey: keys.publicKey,
    signingKey: authority.privateKey,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.SubjectAlternativeNameExtension(
        hosts.map((host) => ({ type: "dns" as const, value: host })),
      ),
    ],
  });
  return {
    certificatePem: certificate.toString("pem"),
    privateKeyPem: await toPem(keys.privateKey),
  };
}

function validity() {
  return {
    notBefore: new Date(Date.now() - dayMilliseconds),
    notAfter: new Date(Date.now() + 30 * dayMilliseconds),
  };
}

async function toPem(key: webcrypto.CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await webcrypto.subtle.exportKey("pkcs8", key), "PRIVATE KEY");
}
