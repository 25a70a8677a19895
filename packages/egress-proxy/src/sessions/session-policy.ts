import {
  anyHostMatches,
  type EgressMode,
  type EgressSecret,
  type EgressSession,
  parsePlacement,
} from "@opencomputer/protocol";
import { LRUCache } from "lru-cache";
import type { SessionPolicy } from "../contract.ts";
import type { BlockScanner } from "../redaction/block-scanner.ts";
import { createValueSearch } from "../redaction/value-search.ts";
import { TokenTables } from "../substitution/token-table.ts";
import { SealedSecret } from "./sealed-secret.ts";

interface Verdict {
  readonly refusal: string | null;
  readonly usable: readonly EgressSecret[];
  readonly withheld: readonly EgressSecret[];
  readonly mayStoreValue: boolean;
}

/** Hosts whose verdict one policy remembers: a guest chooses the names, so they are bounded. */
const rememberedHostsMax = 64;
const namedPatternsMax = 8;

/**
 * The policy that follows from a session.
 *
 * A non-empty allowlist holds in every mode, and mode `allowlisted` refuses
 * what the list does not cover even when the list is empty. A secret without
 * host limits is usable at every host that the sandbox may reach; no secret
 * is usable at a host that it may not reach, nor in mode `open`.
 */
export function createSessionPolicy(session: EgressSession, scanner: BlockScanner): SessionPolicy {
  const secrets = Object.freeze(session.secrets.map((secret) => new SealedSecret(secret)));
  const revokedSecrets = Object.freeze(session.revokedSecrets.map((secret) => ({ ...secret })));
  const formerSecrets = session.formerSecrets.map((secret) => new SealedSecret(secret));
  const stored = [...secrets, ...formerSecrets].filter(leavesHeaders);
  const egressAllowlist = Object.freeze([...session.egressAllowlist]);
  const restricted = session.mode === "allowlisted" || egressAllowlist.length > 0;
  const remembered = new LRUCache<string, Verdict>({ max: rememberedHostsMax });

  const judge = (host: string): Verdict => {
    const refusal =
      restricted && !anyHostMatches(egressAllowlist, host)
        ? refusalFrom(host, egressAllowlist)
        : null;
    const isUsable = (secret: EgressSecret): boolean =>
      refusal === null && session.mode !== "open" && mayReceive(secret, host);
    return {
      refusal,
      usable: Object.freeze(secrets.filter(isUsable)),
      withheld: Object.freeze(secrets.filter((secret) => !isUsable(secret))),
      mayStoreValue: stored.some((secret) => mayReceive(secret, host)),
    };
  };

  const verdictFor = (host: string): Verdict => {
    const known = remembered.get(host);
    if (known !== undefined) return known;
    const verdict = Object.freeze(judge(host));
    remembered.set(host, verdict);
    return verdict;
  };

  return Object.freeze({
    sandboxId: session.sandboxId,
    version: session.version,
    machineId: session.machineId,
    sourceAddress: session.sourceAddress,
    mode: session.mode satisfies EgressMode,
    egressAllowlist,
    secrets,
    search: createValueSearch(scanner, [...secrets, ...formerSecrets]),
    tokens: new TokenTables(verdictFor, revokedSecrets),
    revokedSecrets,
    refusalFor: (host: string) => verdictFor(host).refusal,
    secretsFor: verdictFor,
    mayStoreValue: (host: string) => verdictFor(host).mayStoreValue,
  });
}

/** Whether the value can be in a place that a server keeps, and not in a header alone. */
function leavesHeaders(secret: EgressSecret): boolean {
  return secret.substituteIn.some((placement) => parsePlacement(placement).kind !== "header");
}

function mayReceive(secret: EgressSecret, host: string): boolean {
  return secret.allowedHosts.length === 0 || anyHostMatches(secret.allowedHosts, host);
}

function refusalFrom(host: string, egressAllowlist: readonly string[]): string {
  const beginning = `egress to ${host} is not allowed: the sandbox's egress allowlist`;
  if (egressAllowlist.length === 0) return `${beginning} is empty`;
  const named = egressAllowlist.slice(0, namedPatternsMax).join(", ");
  const more = egressAllowlist.length - namedPatternsMax;
  return `${beginning} names only ${named}${more > 0 ? ` and ${more} more` : ""}`;
}
