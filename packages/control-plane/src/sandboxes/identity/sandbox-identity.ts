import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { sandboxIdPattern } from "@opencomputer/protocol/api";
import { sealedTokenFrom } from "@opencomputer/protocol/wire";
import type { KeyRing } from "../../vault/key-ring.ts";

const base32 = "abcdefghijklmnopqrstuvwxyz234567";
const idCharacters = 20;

/** Makes a sandbox id: `sb-` and 20 random base32 characters. */
export function mintSandboxId(): string {
  let id = "sb-";
  for (const byte of randomBytes(idCharacters)) id += base32.charAt(byte & 31);
  return id;
}

/** Makes a sealed token. */
export function mintSealedToken(): string {
  return sealedTokenFrom(randomBytes(16));
}

/** The org and the sandbox that a sandbox token opens. */
export interface SandboxTokenSubject {
  orgId: string;
  sandboxId: string;
}

/**
 * The credential of one sandbox's data routes: `osb_sandbox_`, key version,
 * org and an HMAC-SHA-256 over org and sandbox id. It is derived, so that it
 * is stored nowhere, and it opens nothing once the sandbox was removed.
 */
export interface SandboxTokens {
  tokenFor(subject: SandboxTokenSubject): string;
  /** Returns the org that the token names, when it was made for this sandbox. */
  verify(token: string, sandboxId: string): string | undefined;
}

const tokenPattern = /^osb_sandbox_(?<version>v\d{1,4})_(?<org>[0-9a-f]{32})_(?<mac>[0-9a-f]{64})$/;

export function createSandboxTokens(ring: KeyRing): SandboxTokens {
  const keys = new Map(
    ring.versions.map((version) => [version, ring.derive(version, "sandbox-token")]),
  );

  function mac(key: Buffer, { orgId, sandboxId }: SandboxTokenSubject): Buffer {
    return createHmac("sha256", key).update(`${orgId}\n${sandboxId}`, "utf8").digest();
  }

  return {
    tokenFor(subject) {
      const version = ring.newestVersion;
      const key = keys.get(version);
      if (key === undefined) throw new Error(`No token key for version ${version}`);
      const org = subject.orgId.replaceAll("-", "");
      return `osb_sandbox_${version}_${org}_${mac(key, subject).toString("hex")}`;
    },

    verify(token, sandboxId) {
      const groups = tokenPattern.exec(token)?.groups;
      const { version = "", org = "", mac: claimed = "" } = groups ?? {};
      const key = keys.get(version);
      if (key === undefined || !sandboxIdPattern.test(sandboxId)) return undefined;
      const orgId = org.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
      const expected = mac(key, { orgId, sandboxId });
      return timingSafeEqual(expected, Buffer.from(claimed, "hex")) ? orgId : undefined;
    },
  };
}
