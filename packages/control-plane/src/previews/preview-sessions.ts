import { createHmac, timingSafeEqual } from "node:crypto";
import type { KeyRing } from "../vault/key-ring.ts";

/** What one browser session opens: one preview under one host, while its sandbox has that token. */
export interface PreviewSession {
  previewId: string;
  host: string;
  tokenHash: string;
}

/**
 * Values of the cookie that a link becomes: the end of the session and an
 * HMAC-SHA-256 over it and what the session opens. Nothing is stored, and a
 * rotation of the token ends every session, because its hash is covered.
 */
export interface PreviewSessions {
  /** @param expires Seconds since 1970. */
  issue(session: PreviewSession, expires: number): string;
  /** Takes the values of every key of the ring; compares in constant time. */
  verify(session: PreviewSession, value: string): boolean;
}

const valuePattern = /^(?<expires>[0-9]{1,12})\.(?<mac>[0-9a-f]{64})$/;

export function createPreviewSessions(ring: KeyRing, now: () => number): PreviewSessions {
  const derive = (version: string) => ring.derive(version, "preview-session");
  const newest = derive(ring.newestVersion);
  const keys = ring.versions.map(derive);

  function mac(key: Buffer, { previewId, host, tokenHash }: PreviewSession, expires: number) {
    const text = JSON.stringify([previewId, host, tokenHash, expires]);
    return createHmac("sha256", key).update(text, "utf8").digest();
  }

  return {
    issue: (session, expires) => `${expires}.${mac(newest, session, expires).toString("hex")}`,

    verify(session, value) {
      const { expires = "", mac: hex = "" } = valuePattern.exec(value)?.groups ?? {};
      if (hex === "") return false;
      const claimed = Buffer.from(hex, "hex");
      const matches = keys.some((key) =>
        timingSafeEqual(mac(key, session, Number(expires)), claimed),
      );
      return matches && Number(expires) * 1000 > now();
    },
  };
}
