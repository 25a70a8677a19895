import "reflect-metadata";
import assert from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { describe, test } from "node:test";
import { inspect } from "node:util";
import {
  BasicConstraintsExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  X509Certificate as Parsed,
} from "@peculiar/x509";
import { makeCertificateAuthority } from "./make-certificate-authority.ts";

describe("makeCertificateAuthority", async () => {
  const authority = await makeCertificateAuthority("0a1b2c3d");
  const certificate = new X509Certificate(authority.certificatePem);
  const parsed = new Parsed(authority.certificatePem);

  test("names the installation and signs itself with its own EC P-256 key", () => {
    assert.equal(certificate.subject, "CN=OpenComputer installation 0a1b2c3d");
    assert.equal(certificate.issuer, certificate.subject);
    assert.ok(certificate.verify(certificate.publicKey));
    assert.equal(certificate.publicKey.asymmetricKeyDetails?.namedCurve, "prime256v1");
    assert.ok(certificate.checkPrivateKey(createPrivateKey(authority.privateKeyPem.reveal())));
  });

  test("may sign certificates, none of which is an authority, and nothing else", () => {
    const constraints = parsed.getExtension(BasicConstraintsExtension);
    assert.deepEqual(
      [constraints?.ca, constraints?.pathLength, constraints?.critical],
      [true, 0, true],
    );
    assert.equal(parsed.getExtension(KeyUsagesExtension)?.usages, KeyUsageFlags.keyCertSign);
  });

  test("is valid now and for ten years", () => {
    const { notBefore, notAfter } = parsed;
    assert.equal(notAfter.getUTCFullYear() - notBefore.getUTCFullYear(), 10);
    assert.ok(notBefore.getTime() < Date.now());
  });

  test("does not print its key", () => {
    assert.ok(!inspect(authority, { depth: 9 }).includes("PRIVATE KEY"));
    assert.ok(!JSON.stringify(authority).includes("PRIVATE KEY"));
    assert.match(authority.privateKeyPem.reveal(), /^-----BEGIN PRIVATE KEY-----/);
  });

  test("two authorities share neither key nor serial number", async () => {
    const other = new X509Certificate((await makeCertificateAuthority("0a1b2c3d")).certificatePem);
    assert.notEqual(other.serialNumber, certificate.serialNumber);
    assert.notEqual(other.fingerprint256, certificate.fingerprint256);
  });
});
