import { hkdfSync } from "node:crypto";
import { inspect } from "node:util";

export const encryptionKeyBytes = 32;

/**
 * The label of rows from before keys had ids. It does not identify the key that
 * they were encrypted with, so each key of the ring is tried.
 */
const unknownKeyVersion = "v1";

/**
 * The encryption keys by version, which for the keys of the vault is an id
 * that follows from the key. Values are decrypted with the version written
 * beside them and encrypted with the newest, so that a key can be replaced
 * while rows of the old one still exist.
 */
export interface KeyRing {
  readonly newestVersion: string;
  readonly versions: readonly string[];
  /**
   * The keys that a value of this version may be encrypted with, the likeliest first.
   *
   * @throws {KeyRingError} for a version that the ring does not have.
   */
  keys(version: string): readonly Buffer[];
  /** The key that values are encrypted with. */
  newestKey(): Buffer;
  oldestKey(): Buffer;
  /** A key of 32 bytes for one purpose, by HKDF-SHA-256 (RFC 5869) from the key of a version. */
  derive(version: string, purpose: string): Buffer;
}

/** What a row names its key by. It follows from the key, and the key does not follow from it. */
export function keyIdOf(key: Buffer): string {
  return `k${Buffer.from(hkdfSync("sha256", key, "", "key-id", 8)).toString("hex")}`;
}

export class KeyRingError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "KeyRingError";
  }
}

/** @param keys Version and key, oldest first. */
export function createKeyRing(keys: readonly (readonly [string, Buffer])[]): KeyRing {
  const byVersion = new Map(keys);
  const [oldest, newest] = [keys.at(0), keys.at(-1)];
  if (oldest === undefined || newest === undefined)
    throw new KeyRingError("A key ring needs at least one key");
  for (const [version, key] of keys) {
    if (key.length !== encryptionKeyBytes) {
      throw new KeyRingError(
        `Encryption key ${version} must have ${encryptionKeyBytes} bytes, got ${key.length}`,
      );
    }
  }
  const find = (version: string): Buffer => {
    const key = byVersion.get(version);
    if (key !== undefined) return key;
    throw new KeyRingError(
      `A value is encrypted with key ${version}, which this service does not have (it has ${[...byVersion.keys()].join(", ")}): give it in OPENSANDBOX_SECRET_ENCRYPTION_KEY_PREVIOUS`,
    );
  };
  const ring = {
    newestVersion: newest[0],
    versions: [...byVersion.keys()],
    keys: (version: string) =>
      version === unknownKeyVersion && !byVersion.has(version)
        ? [...byVersion.values()]
        : [find(version)],
    newestKey: () => newest[1],
    oldestKey: () => oldest[1],
    derive: (version: string, purpose: string) =>
      Buffer.from(hkdfSync("sha256", find(version), "", purpose, encryptionKeyBytes)),
    toJSON: () => "[key ring]",
    [inspect.custom]: () => "[key ring]",
  };
  return ring;
}
