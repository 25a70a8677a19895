import type { EgressSecret, RevokedSecret } from "@opencomputer/protocol/wire";
import { readOtherPorts } from "../egress-policy/other-ports.ts";
import type { SessionPolicy } from "../egress-policy/session-policy.ts";
import { BlockScanner } from "../redaction/block-scanner.ts";
import { createValueSearch } from "../redaction/value-search.ts";
import { TokenTables } from "../token-substitution/token-table.ts";

const scanner = new BlockScanner();

/** A token whose hexadecimal digits repeat this one. */
export function tokenOf(digit: string): string {
  return `osb_sealed_${digit.repeat(32)}`;
}

/** A secret whose token repeats `digit`; usable on `allowedHosts`, or everywhere, in these placements. */
export function secretOf(
  name: string,
  digit: string,
  value: string,
  allowedHosts: readonly string[] = [],
  substituteIn: readonly string[] = ["header", "body"],
): EgressSecret {
  return {
    name,
    token: tokenOf(digit),
    value,
    allowedHosts: [...allowedHosts],
    substituteIn: [...substituteIn],
  };
}

/** A policy with these secrets that refuses the hosts in `refused`. */
export function policyOf(
  secrets: readonly EgressSecret[],
  refused: readonly string[] = [],
  revokedSecrets: readonly RevokedSecret[] = [],
): SessionPolicy {
  const mayReceive = (secret: EgressSecret, host: string) =>
    secret.allowedHosts.length === 0 || secret.allowedHosts.includes(host);
  const secretsFor = (host: string) => ({
    usable: secrets.filter((secret) => mayReceive(secret, host)),
    withheld: secrets.filter((secret) => !mayReceive(secret, host)),
    usableAws: [],
    withheldAws: [],
  });
  return {
    sandboxId: "sb-aaaaaaaaaaaaaaaaaaaa",
    version: 1,
    machineId: "0b7a3c52-6d1e-4f80-9a2b-3c4d5e6f7081",
    sourceAddress: "198.18.4.6",
    mode: "allowlisted",
    egressAllowlist: [],
    secrets,
    awsCredentials: [],
    search: createValueSearch(scanner, secrets),
    tokens: new TokenTables(secretsFor, revokedSecrets),
    revokedSecrets,
    refusalFor: (host) => (refused.includes(host) ? `egress to ${host} is not allowed` : null),
    otherPorts: readOtherPorts([]),
    secretsFor,
    mayStoreValue: (host) =>
      secretsFor(host).usable.some((secret) =>
        secret.substituteIn.some((placement) => !placement.startsWith("header")),
      ),
  };
}
