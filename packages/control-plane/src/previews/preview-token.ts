import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

/** 32 random bytes in base64url: 43 characters. */
export function mintPreviewToken(): string {
  return randomBytes(32).toString("base64url");
}

/** What of a token, or of a link's code, is stored: its SHA-256 in hexadecimal. */
export function hashPreviewToken(token: string): string {
  return createHash("sha256").update(token, "utf8").digest("hex");
}

/** Whether a token is the one of this hash; takes the same time whatever it is. */
export function matchesPreviewToken(token: string, hash: string): boolean {
  const expected = Buffer.from(hash, "hex");
  const found = createHash("sha256").update(token, "utf8").digest();
  return expected.length === found.length && timingSafeEqual(expected, found);
}

/**
 * The one path of a preview that the gateway serves itself, and only where
 * previews need a token: it exchanges a link's `code` for a cookie.
 */
export const openPreviewPath = "/.opencomputer/open";
