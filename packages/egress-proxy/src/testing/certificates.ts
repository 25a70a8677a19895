import "reflect-metadata";
import { webcrypto } from "node:crypto";
import type { CertificateAuthorityKeys } from "@opencomputer/protocol/wire";
import {
  BasicConstraintsExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";

const hourMilliseconds = 3600 * 1000;

/** A CA for tests, in place of the internet's CAs. */
const ecdsaP256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

export interface TestAuthority extends CertificateAuthorityKeys {
  issue(options: {
    hosts: readonly string[];
    notAfter?: Date;
  }): Promise<{ cert: string; key: string }>;
}

export async function createTestAuthority(
  options: { isAuthority?: boolean; name?: string } = {},
): Promise<TestAuthority> {
  const { isAuthority = true } = options;
  const keys = await webcrypto.subtle.generateKey(ecdsaP256, true, ["sign", "verify"]);
  const keyUsages = isAuthority
    ? KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign
    : KeyUsageFlags.digitalSignature;
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: "01",
    name: [{ CN: [options.name ?? "Test CA"] }],
    notBefore: new Date(Date.now() - 72 * hourMilliseconds),
    notAfter: new Date(Date.now() + 240 * hourMilliseconds),
    keys,
    signingAlgorithm: ecdsaP256,
    extensions: [
      new BasicConstraintsExtension(isAuthority, undefined, true),
      // Python is as strict as RFC 5280 §4.2.1.3 since 3.13.
      new KeyUsagesExtension(keyUsages, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });

  return {
    certificatePem: certificate.toString("pem"),
    privateKeyPem: await pemOf(keys.privateKey),
    async issue({ hosts, notAfter }) {
      const pair = await webcrypto.subtle.generateKey(ecdsaP256, true, ["sign", "verify"]);
      const issued = await X509CertificateGenerator.create({
        serialNumber: "02",
        subject: [{ CN: [hosts[0] ?? "none"] }],
        issuer: certificate.subjectName,
        notBefore: new Date(Date.now() - 48 * hourMilliseconds),
        notAfter: notAfter ?? new Date(Date.now() + 24 * hourMilliseconds),
        publicKey: pair.publicKey,
        signingKey: keys.privateKey,
        signingAlgorithm: ecdsaP256,
        extensions: [
          new SubjectAlternativeNameExtension(hosts.map((value) => ({ type: "dns", value }))),
        ],
      });
      return { cert: issued.toString("pem"), key: await pemOf(pair.privateKey) };
    },
  };
}

async function pemOf(key: webcrypto.CryptoKey): Promise<string> {
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", key));
  const lines = pkcs8.toString("base64").replace(/.{64}(?=.)/g, "$&\n");
  return `-----BEGIN PRIVATE KEY-----\n${lines}\n-----END PRIVATE KEY-----\n`;
}
