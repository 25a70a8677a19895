import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import type { KeyRing } from "./key-ring.ts";
import { SecretValue } from "./secret-value.ts";

const algorithm = "aes-256-gcm";
/** NIST SP 800-38D, section 5.2.1.1: a 96-bit nonce and a 128-bit tag. */
const nonceBytes = 12;
const tagBytes = 16;

/** What a database row holds of a secret: `sealed` is base64 of nonce, tag and ciphertext. */
export interface SealedValue {
  sealed: string;
  keyVersion: string;
}

/**
 * What a value is bound to. It is authenticated and not stored with the
 * value: a row that is moved to another owner, store or name does not open.
 */
export type SealContext =
  | { kind: "store-secret"; orgId: string; storeId: string; name: string }
  | { kind: "sandbox-secret"; orgId: string; sandboxId: string; name: string }
  | { kind: "checkpoint-secret"; orgId: string; checkpointId: string; name: string }
  | { kind: "sandbox-former-secret"; orgId: string; ownerId: string; name: string; id: string }
  | { kind: "checkpoint-former-secret"; orgId: string; ownerId: string; name: string; id: string }
  | { kind: "certificate-authority-key"; shortId: string }
  | { kind: "signing-key"; shortId: string }
  | { kind: "key-check" };

/** Thrown when a sealed value does not open: wrong key, altered octets, or another row's value. */
export class VaultError extends Error {
  constructor(message: string, options?: { cause: unknown }) {
    super(message, options);
    this.name = "VaultError";
  }
}

export interface Vault {
  seal(value: SecretValue, context: SealContext): SealedValue;
  /** @throws {VaultError | KeyRingError} */
  open(value: SealedValue, context: SealContext): SecretValue;
  /** A key that is stored as hexadecimal digits. @throws {VaultError | KeyRingError} */
  openKey(value: SealedValue, context: SealContext): Buffer;
}

/** Seals with AES-256-GCM under the newest key of the ring, with a random nonce each time. */
export function createVault(ring: KeyRing): Vault {
  const vault: Vault = {
    seal(value, context) {
      const keyVersion = ring.newestVersion;
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv(algorithm, ring.newestKey(), nonce, {
        authTagLength: tagBytes,
      });
      cipher.setAAD(authenticatedData(keyVersion, context));
      const ciphertext = Buffer.concat([cipher.update(value.reveal(), "utf8"), cipher.final()]);
      const sealed = Buffer.concat([nonce, cipher.getAuthTag(), ciphertext]).toString("base64");
      return { sealed, keyVersion };
    },

    open({ sealed, keyVersion }, context) {
      const octets = Buffer.from(sealed, "base64");
      if (octets.length < nonceBytes + tagBytes) {
        throw new VaultError(
          `${describe(context)} is damaged: its sealed form has only ${octets.length} octets`,
        );
      }
      let cause: unknown;
      for (const key of ring.keys(keyVersion)) {
        try {
          return decrypt(octets, key, authenticatedData(keyVersion, context));
        } catch (error) {
          cause = error;
        }
      }
      throw new VaultError(
        `${describe(context)} does not open with key ${keyVersion}: the key is another one, or the row was altered or moved`,
        { cause },
      );
    },

    openKey: (value, context) => Buffer.from(vault.open(value, context).reveal(), "hex"),
  };
  return vault;
}

function decrypt(octets: Buffer, key: Buffer, authenticated: Buffer): SecretValue {
  const decipher = createDecipheriv(algorithm, key, octets.subarray(0, nonceBytes), {
    authTagLength: tagBytes,
  });
  decipher.setAAD(authenticated);
  decipher.setAuthTag(octets.subarray(nonceBytes, nonceBytes + tagBytes));
  const text = Buffer.concat([
    decipher.update(octets.subarray(nonceBytes + tagBytes)),
    decipher.final(),
  ]);
  return new SecretValue(text.toString("utf8"));
}

/** JSON of an array has no two readings, whatever the names contain. */
function authenticatedData(keyVersion: string, context: SealContext): Buffer {
  return Buffer.from(JSON.stringify([keyVersion, ...parts(context)]), "utf8");
}

function parts(context: SealContext): string[] {
  switch (context.kind) {
    case "store-secret":
      return [context.kind, context.orgId, context.storeId, context.name];
    case "sandbox-secret":
      return [context.kind, context.orgId, context.sandboxId, context.name];
    case "checkpoint-secret":
      return [context.kind, context.orgId, context.checkpointId, context.name];
    case "sandbox-former-secret":
    case "checkpoint-former-secret":
      return [context.kind, context.orgId, context.ownerId, context.name, context.id];
    case "certificate-authority-key":
    case "signing-key":
      return [context.kind, context.shortId];
    case "key-check":
      return [context.kind];
  }
}

function describe(context: SealContext): string {
  switch (context.kind) {
    case "store-secret":
      return `Secret ${context.name} of store ${context.storeId}`;
    case "sandbox-secret":
      return `Secret ${context.name} of sandbox ${context.sandboxId}`;
    case "checkpoint-secret":
      return `Secret ${context.name} of checkpoint ${context.checkpointId}`;
    case "sandbox-former-secret":
      return `A former value of secret ${context.name} of sandbox ${context.ownerId}`;
    case "checkpoint-former-secret":
      return `A former value of secret ${context.name} of checkpoint ${context.ownerId}`;
    case "certificate-authority-key":
      return "The key of the certificate authority";
    case "signing-key":
      return "The key that tokens and signatures are derived from";
    case "key-check":
      return "The check value of the encryption key";
  }
}
