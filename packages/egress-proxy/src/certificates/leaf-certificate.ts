import "reflect-metadata";
import { generateKeyPairSync, randomBytes, sign } from "node:crypto";
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PublicKey,
  SubjectKeyIdentifierExtension,
} from "@peculiar/x509";
import type { CertificateAuthority } from "./certificate-authority.ts";
import { der, derTags, derTime } from "./der.ts";

/**
 * The key pair of every leaf certificate of this process. One pair for all
 * hosts saves generating a key for each, at no loss of security: the memory
 * that holds a leaf key holds the CA's key too.
 */
export interface LeafKey {
  /** The `SubjectPublicKeyInfo` of a certificate. */
  readonly publicKeyInfo: Buffer;
  readonly privateKeyPem: string;
  readonly subjectKeyIdentifier: SubjectKeyIdentifierExtension;
}

const dayMilliseconds = 24 * 3600 * 1000;
/** A restored guest's clock is in the past until it is set. */
const backdatedMilliseconds = 2 * dayMilliseconds;
const validMilliseconds = 7 * dayMilliseconds;
/** RFC 5280, appendix A.1: `ub-common-name`. */
const commonNameCharactersMax = 64;

export async function createLeafKey(): Promise<LeafKey> {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const publicKeyInfo = publicKey.export({ format: "der", type: "spki" });
  return {
    publicKeyInfo,
    privateKeyPem: privateKey.export({ format: "pem", type: "pkcs8" }).toString(),
    subjectKeyIdentifier: await SubjectKeyIdentifierExtension.create(new PublicKey(publicKeyInfo)),
  };
}

/**
 * Issues a server certificate for one canonical host, as PEM: valid from two days
 * ago for seven days from now, though not beyond its CA.
 *
 * A guest waits for it at the first connection to a host, and with it every other
 * guest. The parts that are the same in all leaf certificates are encoded by the
 * library, once; it takes several milliseconds for a whole certificate.
 */
export function issueLeafCertificate(options: {
  authority: CertificateAuthority;
  leafKey: LeafKey;
  host: string;
  now: Date;
}): string {
  const { authority, leafKey, host, now } = options;
  const notBefore = new Date(now.getTime() - backdatedMilliseconds);
  const notAfter = new Date(
    Math.min(now.getTime() + validMilliseconds, authority.certificate.notAfter.getTime()),
  );
  const toBeSigned = der(
    derTags.sequence,
    version3,
    der(derTags.integer, positiveSerialNumber()),
    ecdsaWithSha256,
    authority.subject,
    der(derTags.sequence, derTime(notBefore), derTime(notAfter)),
    subjectOf(host),
    leafKey.publicKeyInfo,
    der(
      derTags.extensions,
      der(
        derTags.sequence,
        commonExtensions,
        subjectAlternativeName(host),
        encoded(leafKey.subjectKeyIdentifier),
        encoded(authority.authorityKeyIdentifier),
      ),
    ),
  );
  const signature = sign("sha256", toBeSigned, authority.signingKey);
  const certificate = der(
    derTags.sequence,
    toBeSigned,
    ecdsaWithSha256,
    der(derTags.bitString, noUnusedBits, signature),
  );
  const lines = certificate.toString("base64").replace(/.{64}(?=.)/g, "$&\n");
  return `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`;
}

const version3 = der(derTags.version, der(derTags.integer, Buffer.from([2])));
const noUnusedBits = Buffer.from([0]);
/** 1.2.840.10045.4.3.2 (RFC 5758, section 3.2). */
const ecdsaWithSha256 = der(derTags.sequence, objectIdentifier("2a8648ce3d040302"));
/** 2.5.4.3 and 2.5.4.10. */
const commonName = objectIdentifier("550403");
const organizationName = objectIdentifier("55040a");
/** 2.5.29.17. */
const subjectAlternativeNameId = objectIdentifier("551d11");
const commonExtensions = Buffer.concat(
  [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
  ].map(encoded),
);

function encoded(extension: Extension): Buffer {
  return Buffer.from(extension.rawData);
}

function objectIdentifier(hexadecimal: string): Buffer {
  return der(derTags.objectIdentifier, Buffer.from(hexadecimal, "hex"));
}

/** A distinguished name: the host, or a fixed text where the host is too long for one. */
function subjectOf(host: string): Buffer {
  const [type, text] =
    host.length <= commonNameCharactersMax
      ? [commonName, host]
      : [organizationName, "OpenComputer egress"];
  const attribute = der(derTags.sequence, type, der(derTags.utf8String, Buffer.from(text)));
  return der(derTags.sequence, der(derTags.set, attribute));
}

function subjectAlternativeName(host: string): Buffer {
  const names = der(derTags.sequence, der(derTags.dnsName, Buffer.from(host, "latin1")));
  return der(derTags.sequence, subjectAlternativeNameId, der(derTags.octetString, names));
}

/** A serial number as RFC 5280, section 4.1.2.2 requires: positive, unique, at most 20 bytes. */
function positiveSerialNumber(): Buffer {
  const bytes = randomBytes(16);
  bytes.writeUInt8(0x40 | (bytes.readUInt8(0) & 0x0f), 0);
  return bytes;
}
