import { anyHostMatches } from "@opencomputer/protocol/api";
import type { EgressMode, EgressSecret } from "@opencomputer/protocol/wire";
import type { AwsCredential } from "../aws-signature/aws-credential.ts";

/** What the decision about a host follows from. */
export interface EgressRules {
  readonly mode: EgressMode;
  readonly egressAllowlist: readonly string[];
  readonly secrets: readonly EgressSecret[];
  readonly awsCredentials: readonly AwsCredential[];
  /** Secrets of any kind, now or formerly of the sandbox, of whose value a host may have stored a part. */
  readonly storableSecrets: readonly { readonly allowedHosts: readonly string[] }[];
}

/** What one sandbox may do at one host. */
export interface EgressDecision {
  /** Why the host may not be reached, for people to read; null when it may. */
  readonly refusal: string | null;
  /** Secrets whose value the host may receive. */
  readonly usable: readonly EgressSecret[];
  readonly withheld: readonly EgressSecret[];
  /** Credentials whose signatures the host may receive. */
  readonly usableAws: readonly AwsCredential[];
  readonly withheldAws: readonly AwsCredential[];
  /** Whether the host may have stored a value that it could receive. */
  readonly mayStoreValue: boolean;
}

const namedPatternsMax = 8;

/**
 * Decides whether a sandbox may reach a canonical host, and which secrets it
 * may use there.
 *
 * A non-empty allowlist holds in every mode, and mode `allowlisted` refuses
 * what the list does not cover even when the list is empty. A secret without
 * host limits is usable at every host that the sandbox may reach; no secret
 * is usable at a host that it may not reach, nor in mode `open`.
 */
export function decideEgress(rules: EgressRules, host: string): EgressDecision {
  const { mode, egressAllowlist, secrets, awsCredentials, storableSecrets } = rules;
  const isRestricted = mode === "allowlisted" || egressAllowlist.length > 0;
  const refusal =
    isRestricted && !anyHostMatches(egressAllowlist, host)
      ? refusalFrom(host, egressAllowlist)
      : null;
  const isUsable = (secret: EgressSecret | AwsCredential): boolean =>
    refusal === null && mode !== "open" && mayReceive(secret, host);
  return Object.freeze({
    refusal,
    usable: Object.freeze(secrets.filter(isUsable)),
    withheld: Object.freeze(secrets.filter((secret) => !isUsable(secret))),
    usableAws: Object.freeze(awsCredentials.filter(isUsable)),
    withheldAws: Object.freeze(awsCredentials.filter((credential) => !isUsable(credential))),
    mayStoreValue: storableSecrets.some((secret) => mayReceive(secret, host)),
  });
}

function mayReceive(
  { allowedHosts }: { readonly allowedHosts: readonly string[] },
  host: string,
): boolean {
  return allowedHosts.length === 0 || anyHostMatches(allowedHosts, host);
}

function refusalFrom(host: string, egressAllowlist: readonly string[]): string {
  const beginning = `egress to ${host} is not allowed: the sandbox's egress allowlist`;
  if (egressAllowlist.length === 0) return `${beginning} is empty`;
  const named = egressAllowlist.slice(0, namedPatternsMax).join(", ");
  const more = egressAllowlist.length - namedPatternsMax;
  return `${beginning} names only ${named}${more > 0 ? ` and ${more} more` : ""}`;
}
