import { createHash, randomBytes } from "node:crypto";

/** A new key: `osb_` and 64 hexadecimal digits, 256 bits that cannot be guessed. */
export function mintApiKey(): string {
  return `osb_${randomBytes(32).toString("hex")}`;
}

/** The beginning of a key, to tell keys apart: 32 of its 256 random bits. */
export function apiKeyPrefix(key: string): string {
  return key.slice(0, "osb_".length + 8);
}

/** What is stored of a key. A plain hash is enough: the key has 256 random bits. */
export function hashApiKey(key: string): string {
  return createHash("sha256").update(key, "utf8").digest("hex");
}
