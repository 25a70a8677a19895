import type { EgressSecret } from "@opencomputer/protocol";
import type { SessionPolicy } from "../contract.ts";

/** A token whose hexadecimal digits repeat this one. */
export function tokenOf(digit: string): string {
  return `osb_sealed_${digit.repeat(32)}`;
}

/** A secret whose token repeats `digit`; usable on `allowedHosts`, or everywhere. */
export function secretOf(
  name: string,
  digit: string,
  value: string,
  allowedHosts: readonly string[] = [],
): EgressSecret {
  return { name, token: tokenOf(digit), value, allowedHosts: [...allowedHosts] };
}

/** A policy with these secrets that refuses the hosts in `refused`. */
export function policyOf(
  secrets: readonly EgressSecret[],
  refused: readonly string[] = [],
): SessionPolicy {
  const mayReceive = (secret: EgressSecret, host: string) =>
    secret.allowedHosts.length === 0 || secret.allowedHosts.includes(host);
  return {
    sandboxId: "sb-aaaaaaaaaaaaaaaaaaaa",
    sourceAddress: "198.18.4.6",
    mode: "allowlisted",
    egressAllowlist: [],
    secrets,
    refusalFor: (host) => (refused.includes(host) ? `egress to ${host} is not allowed` : null),
    secretsFor: (host) => ({
      usable: secrets.filter((secret) => mayReceive(secret, host)),
      withheld: secrets.filter((secret) => !mayReceive(secret, host)),
    }),
  };
}
