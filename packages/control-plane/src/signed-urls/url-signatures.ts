import { createHmac, timingSafeEqual } from "node:crypto";
import type { KeyRing } from "../vault/key-ring.ts";

/** What one signed URL opens, and until when. */
export interface SignedFile {
  method: "GET" | "PUT";
  orgId: string;
  sandboxId: string;
  path: string;
  /** Seconds since 1970. */
  expires: number;
}

/**
 * HMAC-SHA-256 over everything that a signed URL contains, with a separate key
 * derived from the key ring: nothing is stored, and a URL outlives a restart.
 */
export interface UrlSignatures {
  /** 64 hexadecimal digits. */
  sign(file: SignedFile): string;
  /** Takes the signatures of every key of the ring; compares in constant time. */
  verify(file: SignedFile, signature: string): boolean;
}

const signaturePattern = /^[0-9a-f]{64}$/;

export function createUrlSignatures(ring: KeyRing): UrlSignatures {
  const derive = (version: string) => ring.derive(version, "signed-url");
  const newest = derive(ring.newestVersion);
  const keys = ring.versions.map(derive);

  function mac(key: Buffer, file: SignedFile): Buffer {
    const { method, orgId, sandboxId, path, expires } = file;
    const text = JSON.stringify([method, orgId, sandboxId, path, expires]);
    return createHmac("sha256", key).update(text, "utf8").digest();
  }

  return {
    sign: (file) => mac(newest, file).toString("hex"),

    verify(file, signature) {
      if (!signaturePattern.test(signature)) return false;
      const claimed = Buffer.from(signature, "hex");
      return keys.some((key) => timingSafeEqual(mac(key, file), claimed));
    },
  };
}
