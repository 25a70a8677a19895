import {
  type EgressProtocol,
  type EgressSuggestion,
  HostPatternError,
  normalizeAllowlistEntry,
  normalizeHost,
  normalizeSecretHost,
} from "@opencomputer/protocol/api";
import type { EgressSummary, EgressUse } from "./egress-log-repository.ts";

interface Endpoint {
  protocol: EgressProtocol;
  host: string | null;
  port: number | null;
}

/** Ports that an entry without a port opens. */
const commonPorts: ReadonlySet<number | null> = new Set([443, 80, 53, null]);
/** Most entries that are listed apart: those that occurred most often. */
const apartMax = 100;

/** The smallest allowlist, and the fewest hosts of each secret, that allow what a log has sent. */
export function suggestAllowlist(summary: EgressSummary): EgressSuggestion {
  const allowed = summary.uses.filter(({ decision }) => decision === "allowed");
  const egressAllowlist = entriesOf(
    allowed.filter(({ wasSent }) => wasSent),
    normalizeAllowlistEntry,
  );
  const unreached = allowed.filter(({ wasSent }) => !wasSent);
  const refused = summary.uses.filter(({ decision }) => decision === "refused");
  const names = [...new Set(summary.secretUses.map(({ name }) => name))].sort();
  return {
    egressAllowlist,
    perSecretAllowedHosts: Object.fromEntries(
      names.map((name) => [
        name,
        entriesOf(
          summary.secretUses.filter((use) => use.name === name),
          normalizeSecretHost,
        ),
      ]),
    ),
    refused: countedBeside(egressAllowlist, refused),
    unreached: countedBeside(egressAllowlist, unreached),
    exchangeCount: summary.exchangeCount,
    since: summary.since?.toISOString() ?? null,
    isIncomplete: summary.leftOutCount > 0,
  };
}

/** The entries of uses that are not in the list, with how often they occurred, the most frequent first. */
function countedBeside(
  list: readonly string[],
  uses: readonly EgressUse[],
): EgressSuggestion["refused"] {
  const counts = new Map<string, number>();
  for (const use of uses) {
    const entry = entryOf(use, normalizeAllowlistEntry);
    if (entry === undefined || list.includes(entry)) continue;
    counts.set(entry, (counts.get(entry) ?? 0) + use.count);
  }
  return [...counts]
    .map(([entry, count]) => ({ entry, count }))
    .sort((one, other) => other.count - one.count || (one.entry < other.entry ? -1 : 1))
    .slice(0, apartMax);
}

function entriesOf(endpoints: readonly Endpoint[], normalize: (text: string) => string): string[] {
  const entries = endpoints.map((endpoint) => entryOf(endpoint, normalize));
  return [...new Set(entries.filter((entry) => entry !== undefined))].sort();
}

/** The entry for an endpoint; undefined when its host is unknown or is no host name. */
function entryOf(
  { protocol, host, port }: Endpoint,
  normalize: (text: string) => string,
): string | undefined {
  // A guest may ask the resolver for any text, such as a pattern that opens more than it reached.
  if (host === null || normalizeHost(host) === undefined) return undefined;
  const at = commonPorts.has(port) ? host : `${host}:${port}`;
  try {
    return normalize(protocol === "tcp" && at !== host ? `tcp://${at}` : at);
  } catch (error) {
    if (error instanceof HostPatternError) return undefined;
    throw error;
  }
}
