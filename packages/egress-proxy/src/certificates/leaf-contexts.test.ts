import assert from "node:assert/strict";
import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { describe, test } from "node:test";
import { WireError } from "@opencomputer/protocol";
import { createTestAuthority } from "../testing/certificates.ts";
import { importCertificateAuthority } from "./certificate-authority.ts";
import { createLeafKey, issueLeafCertificate } from "./leaf-certificate.ts";
import { createLeafContexts } from "./leaf-contexts.ts";

const dayMilliseconds = 24 * 3600 * 1000;

async function issued(host: string, now = new Date()) {
  const keys = await createTestAuthority();
  const authority = await importCertificateAuthority(keys);
  const leafKey = await createLeafKey();
  const pem = await issueLeafCertificate({ authority, leafKey, host, now });
  return { keys, leafKey, certificate: new X509Certificate(pem) };
}

describe("issueLeafCertificate", () => {
  test("proves the host and no other, signed by the CA", async () => {
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

  test("takes the longest host there can be", async () => {
    const host = `${"a".repeat(63)}.${"b".repeat(63)}.${"c".repeat(63)}.${"d".repeat(61)}`;
    assert.equal(host.length, 253);
    const { certificate } = await issued(host);
    assert.equal(certificate.checkHost(host), host);
  });

  test("numbers certificates differently, positively and in at most 20 octets", async () => {
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

  test("has no context before there is a CA, and one after", async () => {
    const { contexts, keys } = await scenario();
    assert.equal(contexts.hasAuthority, false);
    assert.equal(await contexts.contextFor("a.test"), undefined);
    await contexts.setAuthority(keys);
    assert.equal(contexts.hasAuthority, true);
    assert.notEqual(await contexts.contextFor("a.test"), undefined);
  });

  test("concurrent and later calls for one host share one context, hosts do not", async () => {
    const { contexts, keys } = await scenario();
    await contexts.setAuthority(keys);
    const [first, second, other] = await Promise.all([
      contexts.contextFor("a.test"),
      contexts.contextFor("a.test"),
      contexts.contextFor("b.test"),
    ]);
    assert.equal(first, second);
    assert.equal(await contexts.contextFor("a.test"), first);
    assert.notEqual(other, first);
  });

  test("keeps no more contexts than it may", async () => {
    const { contexts, keys } = await scenario(2);
    await contexts.setAuthority(keys);
    const first = await contexts.contextFor("a.test");
    await contexts.contextFor("b.test");
    await contexts.contextFor("c.test");
    assert.notEqual(await contexts.contextFor("a.test"), first);
  });

  test("the same CA again keeps contexts, another one drops them", async () => {
    const { contexts, keys } = await scenario();
    await contexts.setAuthority(keys);
    const first = await contexts.contextFor("a.test");
    await contexts.setAuthority(keys);
    assert.equal(await contexts.contextFor("a.test"), first);
    await contexts.setAuthority(await createTestAuthority());
    assert.notEqual(await contexts.contextFor("a.test"), first);
  });
});

describe("importCertificateAuthority", () => {
  test("refuses what is no CA, not its key, or not P-256, and quotes no key", async () => {
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
