import { parsePlacement } from "@opencomputer/protocol/api";
import type {
  EgressMode,
  EgressSecret,
  EgressSession,
  RevokedSecret,
} from "@opencomputer/protocol/wire";
import { LRUCache } from "lru-cache";
import { AwsCredential } from "../aws-signature/aws-credential.ts";
import type { BlockScanner } from "../redaction/block-scanner.ts";
import type { ValueSearch } from "../redaction/value-search.ts";
import { createValueSearch } from "../redaction/value-search.ts";
import { type SecretsForHost, TokenTables } from "../token-substitution/token-table.ts";
import { decideEgress, type EgressDecision, type EgressRules } from "./decide-egress.ts";
import { type OtherPorts, readOtherPorts } from "./other-ports.ts";
import { SessionSecret } from "./session-secret.ts";

/** What the proxy may do for one sandbox. Immutable: a new session creates a new policy. */
export interface SessionPolicy {
  readonly sandboxId: string;
  readonly version: number;
  readonly machineId: string;
  readonly sourceAddress: string;
  readonly mode: EgressMode;
  readonly egressAllowlist: readonly string[];
  /** Every secret of the session. */
  readonly secrets: readonly EgressSecret[];
  readonly awsCredentials: readonly AwsCredential[];
  /** Secrets whose value was revoked: their tokens are never substituted. */
  readonly revokedSecrets: readonly RevokedSecret[];
  /**
   * Searches everything that comes back, from every host, for values that the
   * sandbox can use or could use. Undefined when it has none.
   */
  readonly search: ValueSearch | undefined;
  /** What each token may become at each destination. */
  readonly tokens: TokenTables;
  /** Why the sandbox may not reach this canonical host, with its port where that is not the scheme's, for people to read; null when it may. */
  refusalFor(host: string): string | null;
  /** What the allowlist opens besides ports 443 and 80. */
  readonly otherPorts: OtherPorts;
  /** The session's secrets, split by whether this canonical host may receive their values. */
  readonly secretsFor: SecretsForHost;
  /**
   * Whether this canonical host may have stored a value: one that it could
   * receive, now or earlier, in a place other than a header. Such a host is
   * not asked for parts of a resource.
   */
  mayStoreValue(host: string): boolean;
}

/** Finds the policy in effect for the address that a guest's packets come from. */
export type FindPolicy = (sourceAddress: string) => SessionPolicy | undefined;

/** Hosts whose decision one policy remembers: a guest chooses the names, so they are bounded. */
const rememberedHostsMax = 64;

/** Creates the policy that follows from a session. */
export function createSessionPolicy(session: EgressSession, scanner: BlockScanner): SessionPolicy {
  const secrets = Object.freeze(session.secrets.map((secret) => new SessionSecret(secret)));
  const awsCredentials = Object.freeze(
    session.awsSecrets.map((secret) => new AwsCredential(secret)),
  );
  const revokedSecrets = Object.freeze(session.revokedSecrets.map((secret) => ({ ...secret })));
  const formerSecrets = session.formerSecrets.map((secret) => new SessionSecret(secret));
  const egressAllowlist = Object.freeze([...session.egressAllowlist]);
  const rules: EgressRules = {
    mode: session.mode,
    egressAllowlist,
    secrets,
    awsCredentials,
    storableSecrets: [
      ...[...secrets, ...formerSecrets].filter(leavesHeaders),
      ...awsCredentials.filter(isInUrls),
    ],
  };
  const remembered = new LRUCache<string, EgressDecision>({ max: rememberedHostsMax });

  const decisionFor = (host: string): EgressDecision => {
    const known = remembered.get(host);
    if (known !== undefined) return known;
    const decision = decideEgress(rules, host);
    remembered.set(host, decision);
    return decision;
  };

  return Object.freeze({
    sandboxId: session.sandboxId,
    version: session.version,
    machineId: session.machineId,
    sourceAddress: session.sourceAddress,
    mode: session.mode,
    egressAllowlist,
    secrets,
    awsCredentials,
    search: createValueSearch(scanner, [
      ...secrets,
      ...awsCredentials.flatMap(({ searchedValues }) => searchedValues),
      ...formerSecrets,
    ]),
    tokens: new TokenTables(decisionFor, revokedSecrets),
    revokedSecrets,
    refusalFor: (host: string) => decisionFor(host).refusal,
    otherPorts: readOtherPorts(egressAllowlist),
    secretsFor: decisionFor,
    mayStoreValue: (host: string) => decisionFor(host).mayStoreValue,
  });
}

/** Whether the value can be in a place that a server keeps, and not in a header alone. */
function leavesHeaders(secret: EgressSecret): boolean {
  return secret.substituteIn.some((placement) => parsePlacement(placement).kind !== "header");
}

/** Whether the session token can be in a presigned URL, which servers keep in their logs. Bodies never have it. */
function isInUrls({ substituteIn }: AwsCredential): boolean {
  return substituteIn.some((placement) => parsePlacement(placement).kind === "query");
}
