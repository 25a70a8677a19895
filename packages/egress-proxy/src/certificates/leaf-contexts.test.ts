import "reflect-metadata";
import assert from "node:assert/strict";
import { createPrivateKey, generateKeyPairSync, X509Certificate } from "node:crypto";
import { describe, test } from "node:test";
import { WireError } from "@opencomputer/protocol/api";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  X509Certificate as ParsedCertificate,
  SubjectKeyIdentifierExtension,
} from "@peculiar/x509";
import { createTestAuthority } from "../testing/certificates.ts";
import { importCertificateAuthority } from "./certificate-authority.ts";
import { createLeafKey, issueLeafCertificate } from "./leaf-certificate.ts";
import { createLeafContexts } from "./leaf-contexts.ts";

const dayMilliseconds = 24 * 3600 * 1000;

async function issued(host: string, now = new Date()) {
  const keys = await createTestAuthority();
  const authority = await importCertificateAuthority(keys);
  const leafKey = await createLeafKey();
  const pem = issueLeafCertificate({ authority, leafKey, host, now });
  return { keys, leafKey, certificate: new X509Certificate(pem) };
}

describe("issueLeafCertificate", () => {
  test("is valid for the host and no other, signed by the CA", async () => {
    const { keys, certificate } = await issued("api.example.com");
    const authority = new X509Certificate(keys.certificatePem);
    assert.equal(certificate.subjectAltName, "DNS:api.example.com");
    assert.equal(certificate.checkHost("api.example.com"), "api.example.com");
    assert.equal(certificate.checkHost("www.example.com"), undefined);
    assert.equal(certificate.checkHost("x.api.example.com"), undefined);
    assert.ok(certificate.verify(authority.publicKey));
    assert.ok(certificate.checkIssued(authority));
    assert.equal(certificate.ca, false);
    assert.deepEqual(certificate.keyUsage, ["1.3.6.1.5.5.7.3.1"]);
  });

  test("is valid from two days ago for seven days", async () => {
    const now = new Date();
    const { certificate } = await issued("api.example.com", now);
    const days = (text: string) => Math.round((Date.parse(text) - now.getTime()) / dayMilliseconds);
    assert.equal(days(certificate.validFrom), -2);
    assert.equal(days(certificate.validTo), 7);
  });

  test("does not outlive its CA", async () => {
    const later = new Date(Date.now() + 9 * dayMilliseconds);
    const { keys, certificate } = await issued("api.example.com", later);
    assert.equal(certificate.validTo, new X509Certificate(keys.certificatePem).validTo);
  });

  test("has the form that the X.509 library parses, each part as it expects it", async () => {
    const { keys, leafKey, certificate } = await issued("api.example.com");
    const parsed = new ParsedCertificate(certificate.raw);
    const authority = new ParsedCertificate(keys.certificatePem);
    assert.equal(Buffer.from(parsed.rawData).toString("hex"), certificate.raw.toString("hex"));
    assert.equal(parsed.subject, "CN=api.example.com");
    assert.equal(parsed.issuer, authority.subject);
    assert.equal(parsed.getExtension(BasicConstraintsExtension)?.ca, false);
    assert.equal(parsed.getExtension(BasicConstraintsExtension)?.critical, true);
    assert.deepEqual(
      [parsed.getExtension(KeyUsagesExtension)?.usages],
      [KeyUsageFlags.digitalSignature],
    );
    assert.equal(
      parsed.getExtension(SubjectKeyIdentifierExtension)?.keyId,
      leafKey.subjectKeyIdentifier.keyId,
    );
    assert.equal(
      parsed.getExtension(AuthorityKeyIdentifierExtension)?.keyId,
      (await AuthorityKeyIdentifierExtension.create(authority.publicKey)).keyId,
    );
    assert.equal(await parsed.verify({ publicKey: authority.publicKey }), true);
  });

  test("has a key and signatures that OpenSSL takes in a handshake context", async () => {
    const { leafKey, certificate } = await issued("api.example.com");
    assert.ok(certificate.checkPrivateKey(createPrivateKey(leafKey.privateKeyPem)));
  });

  test("accepts the longest possible host", async () => {
    const host = `${"a".repeat(63)}.${"b".repeat(63)}.${"c".repeat(63)}.${"d".repeat(61)}`;
    assert.equal(host.length, 253);
    const { certificate } = await issued(host);
    assert.equal(certificate.checkHost(host), host);
  });

  test("numbers certificates differently, positively and in at most 20 bytes", async () => {
    const numbers = await Promise.all([issued("a.test"), issued("a.test")]);
    const [first = "", second = ""] = numbers.map(({ certificate }) => certificate.serialNumber);
    assert.notEqual(first, second);
    for (const number of [first, second]) assert.match(number, /^4[0-9A-F]{31}$/);
  });
});

describe("createLeafContexts", () => {
  async function scenario(contextsMax = 2) {
    const contexts = createLeafContexts({
      leafKey: await createLeafKey(),
      contextsMax,
      now: () => new Date(),
    });
    const keys = await createTestAuthority();
    return { contexts, keys };
  }

  test("has no context before a CA is set, and one after", async () => {
    const { contexts, keys } = await scenario();
    assert.equal(contexts.hasAuthority, false);
    assert.equal(contexts.contextFor("a.test"), undefined);
    await contexts.setAuthority(keys);
    assert.equal(contexts.hasAuthority, true);
    assert.notEqual(contexts.contextFor("a.test"), undefined);
  });

  test("later calls for one host share one context, hosts do not", async () => {
    const { contexts, keys } = await scenario();
    await contexts.setAuthority(keys);
    const first = contexts.contextFor("a.test");
    assert.equal(contexts.contextFor("a.test"), first);
    assert.notEqual(contexts.contextFor("b.test"), first);
  });

  test("keeps no more contexts than it may", async () => {
    const { contexts, keys } = await scenario(2);
    await contexts.setAuthority(keys);
    const first = contexts.contextFor("a.test");
    contexts.contextFor("b.test");
    contexts.contextFor("c.test");
    assert.notEqual(contexts.contextFor("a.test"), first);
  });

  test("the same CA again keeps contexts, another one drops them", async () => {
    const { contexts, keys } = await scenario();
    await contexts.setAuthority(keys);
    const first = contexts.contextFor("a.test");
    await contexts.setAuthority(keys);
    assert.equal(contexts.contextFor("a.test"), first);
    await contexts.setAuthority(await createTestAuthority());
    assert.notEqual(contexts.contextFor("a.test"), first);
  });
});

describe("importCertificateAuthority", () => {
  test("refuses a certificate that is not a CA's, a key that is not its key or not P-256, and quotes no key", async () => {
    const good = await createTestAuthority();
    const other = await createTestAuthority();
    const leaf = await createTestAuthority({ isAuthority: false });
    const otherCurve = generateKeyPairSync("ec", { namedCurve: "secp384r1" }).privateKey.export({
      format: "pem",
      type: "pkcs8",
    });
    const begin = "-----BEGIN PRIVATE KEY-----\n";
    const cases = [
      { keys: { ...good, privateKeyPem: other.privateKeyPem }, message: /not the key of/ },
      { keys: leaf, message: /no CA certificate/ },
      {
        keys: { ...good, privateKeyPem: String(otherCurve) },
        message: /expected an EC key on P-256/,
      },
      { keys: { ...good, privateKeyPem: `${begin}c2VjcmV0` }, message: /not a private key/ },
      {
        keys: { ...good, certificatePem: "-----BEGIN CERTIFICATE-----\nAAAA" },
        message: /not an X\.509 certificate/,
      },
    ];
    for (const { keys, message } of cases) {
      await assert.rejects(importCertificateAuthority(keys), (error: unknown) => {
        assert.ok(error instanceof WireError);
        assert.equal(error.code, "invalid_request");
        assert.match(error.message, message);
        assert.ok(!error.message.includes("c2VjcmV0"));
        return true;
      });
    }
  });
});
