import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import type { KeyRing } from "./key-ring.ts";
import { SecretValue } from "./secret-value.ts";

const algorithm = "aes-256-gcm";
/** NIST SP 800-38D, section 5.2.1.1: a 96-bit nonce and a 128-bit tag. */
const nonceBytes = 12;
const tagBytes = 16;

/** What a database row holds of a secret: `encrypted` is base64 of nonce, tag and ciphertext. */
export interface EncryptedValue {
  encrypted: string;
  keyVersion: string;
}

/**
 * What a value is bound to. It is authenticated and not stored with the
 * value: a row that is moved to another owner, store or name cannot be decrypted.
 */
export type EncryptionContext =
  | { kind: "store-secret"; orgId: string; storeId: string; name: string }
  | { kind: "sandbox-secret"; orgId: string; sandboxId: string; name: string }
  | { kind: "checkpoint-secret"; orgId: string; checkpointId: string; name: string }
  | { kind: "sandbox-former-secret"; orgId: string; ownerId: string; name: string; id: string }
  | { kind: "checkpoint-former-secret"; orgId: string; ownerId: string; name: string; id: string }
  | { kind: "webhook-secret"; orgId: string; webhookId: string }
  | { kind: "certificate-authority-key"; shortId: string }
  | { kind: "signing-key"; shortId: string }
  | { kind: "key-check" };

/** Thrown when a value cannot be decrypted: wrong key, altered bytes, or another row's value. */
export class VaultError extends Error {
  constructor(message: string, options?: { cause: unknown }) {
    super(message, options);
    this.name = "VaultError";
  }
}

export interface Vault {
  encrypt(value: SecretValue, context: EncryptionContext): EncryptedValue;
  /** @throws {VaultError | KeyRingError} */
  decrypt(value: EncryptedValue, context: EncryptionContext): SecretValue;
  /** A key that is stored as hexadecimal digits. @throws {VaultError | KeyRingError} */
  decryptKey(value: EncryptedValue, context: EncryptionContext): Buffer;
}

/** Encrypts with AES-256-GCM under the newest key of the ring, with a random nonce each time. */
export function createVault(ring: KeyRing): Vault {
  const vault: Vault = {
    encrypt(value, context) {
      const keyVersion = ring.newestVersion;
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv(algorithm, ring.newestKey(), nonce, {
        authTagLength: tagBytes,
      });
      cipher.setAAD(authenticatedData(keyVersion, context));
      const ciphertext = Buffer.concat([cipher.update(value.reveal(), "utf8"), cipher.final()]);
      const encrypted = Buffer.concat([nonce, cipher.getAuthTag(), ciphertext]).toString("base64");
      return { encrypted, keyVersion };
    },

    decrypt({ encrypted, keyVersion }, context) {
      const bytes = Buffer.from(encrypted, "base64");
      if (bytes.length < nonceBytes + tagBytes) {
        throw new VaultError(
          `${describe(context)} is damaged: its encrypted value has only ${bytes.length} bytes`,
        );
      }
      let cause: unknown;
      for (const key of ring.keys(keyVersion)) {
        try {
          return decrypt(bytes, key, authenticatedData(keyVersion, context));
        } catch (error) {
          cause = error;
        }
      }
      throw new VaultError(
        `${describe(context)} cannot be decrypted with key ${keyVersion}: it was encrypted with another key, or the row was altered or moved`,
        { cause },
      );
    },

    decryptKey: (value, context) => Buffer.from(vault.decrypt(value, context).reveal(), "hex"),
  };
  return vault;
}

function decrypt(bytes: Buffer, key: Buffer, authenticated: Buffer): SecretValue {
  const decipher = createDecipheriv(algorithm, key, bytes.subarray(0, nonceBytes), {
    authTagLength: tagBytes,
  });
  decipher.setAAD(authenticated);
  decipher.setAuthTag(bytes.subarray(nonceBytes, nonceBytes + tagBytes));
  const text = Buffer.concat([
    decipher.update(bytes.subarray(nonceBytes + tagBytes)),
    decipher.final(),
  ]);
  return new SecretValue(text.toString("utf8"));
}

/** JSON of an array has no two readings, whatever the names contain. */
function authenticatedData(keyVersion: string, context: EncryptionContext): Buffer {
  return Buffer.from(JSON.stringify([keyVersion, ...parts(context)]), "utf8");
}

function parts(context: EncryptionContext): string[] {
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
    case "webhook-secret":
      return [context.kind, context.orgId, context.webhookId];
    case "certificate-authority-key":
    case "signing-key":
      return [context.kind, context.shortId];
    case "key-check":
      return [context.kind];
  }
}

function describe(context: EncryptionContext): string {
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
    case "webhook-secret":
      return `The signing secret of webhook ${context.webhookId}`;
    case "certificate-authority-key":
      return "The key of the certificate authority";
    case "signing-key":
      return "The key that tokens and signatures are derived from";
    case "key-check":
      return "The check value of the encryption key";
  }
}
