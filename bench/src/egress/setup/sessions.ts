import { createHash } from "node:crypto";
import {
  type EgressSecret,
  type EgressSession,
  sealedTokenFrom,
  searchedParts,
} from "@opencomputer/protocol/wire";

export const measuredHost = "api.example.test";

/** The secret that each request uses. */
export const usedSecret = createSecret(0);

/** A value of the same length and class as {@link usedSecret}'s that no session has. */
export const unknownValue = valueFrom("no secret");

/** Sessions that differ only in address and number of secrets. */
export const sessions = {
  withoutSecrets: () => createSession("b", "127.77.0.3", 0),
  withOneSecret: () => createSession("a", "127.77.0.2", 1),
  withSecrets: (count: number) => createSession("c", "127.77.0.4", count),
  ofManySandboxes: (count: number) =>
    Array.from({ length: count }, (_, index) =>
      createSession(base32(index), `127.77.${1 + Math.floor(index / 250)}.${1 + (index % 250)}`, 1),
    ),
};

function base32(index: number): string {
  return [index >> 10, (index >> 5) & 31, index & 31]
    .map((digit) => "abcdefghijklmnopqrstuvwxyz234567"[digit])
    .join("");
}

function createSession(name: string, sourceAddress: string, count: number): EgressSession {
  return {
    sandboxId: `sb-${name.padStart(20, name.slice(0, 1))}`,
    version: 1,
    machineId: "5f0e3a52-6f0b-4a7c-9c1d-2b8e4d6a7f10",
    sourceAddress,
    mode: "allowlisted",
    egressAllowlist: [measuredHost],
    secrets: Array.from({ length: count }, (_, index) => createSecret(index)),
    awsSecrets: [],
    formerSecrets: [],
    revokedSecrets: [],
    enforcesRevocation: false,
  };
}

function createSecret(index: number): EgressSecret {
  const name = `API_KEY_${index}`;
  const value = valueFrom(name);
  if (searchedParts(value).length === 0) {
    throw new Error(`The value of ${name} can be guessed, so no response would be searched for it`);
  }
  const token = sealedTokenFrom(digest(`token of ${name}`).subarray(0, 16));
  return { name, token, value, allowedHosts: [measuredHost], substituteIn: ["header", "body"] };
}

/** 43 characters that look random and are the same in every run. */
function valueFrom(seed: string): string {
  return digest(`value of ${seed}`).toString("base64url");
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
