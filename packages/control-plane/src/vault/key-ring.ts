import { hkdfSync } from "node:crypto";
import { inspect } from "node:util";

export const encryptionKeyBytes = 32;

/**
 * The encryption keys by version. Values are opened with the version written
 * beside them and sealed with the newest, so that a key can be replaced while
 * rows of the old one still exist.
 */
export interface KeyRing {
  readonly newestVersion: string;
  readonly versions: readonly string[];
  /** @throws {KeyRingError} for a version that the ring does not have. */
  key(version: string): Buffer;
  /** A key of 32 octets for one purpose, by HKDF-SHA-256 (RFC 5869) from the key of a version. */
  derive(version: string, purpose: string): Buffer;
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
  const newest = keys.at(-1);
  if (newest === undefined) throw new KeyRingError("A key ring needs at least one key");
  for (const [version, key] of keys) {
    if (key.length !== encryptionKeyBytes) {
      throw new KeyRingError(
        `Encryption key ${version} must have ${encryptionKeyBytes} octets, got ${key.length}`,
      );
    }
  }
  const find = (version: string): Buffer => {
    const key = byVersion.get(version);
    if (key !== undefined) return key;
    throw new KeyRingError(
      `A value is sealed with key version ${version}, which this key ring does not have (it has ${[...byVersion.keys()].join(", ")})`,
    );
  };
  const ring = {
    newestVersion: newest[0],
    versions: [...byVersion.keys()],
    key: find,
    derive: (version: string, purpose: string) =>
      Buffer.from(hkdfSync("sha256", find(version), "", purpose, encryptionKeyBytes)),
    toJSON: () => "[key ring]",
    [inspect.custom]: () => "[key ring]",
  };
  return ring;
}
