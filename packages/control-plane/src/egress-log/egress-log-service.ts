import {
  defaults,
  type EgressEntry,
  type EgressExplanation,
  type EgressLogQuery,
  type EgressPage,
  type EgressSuggestion,
  type ExplainEgressQuery,
  HostPatternError,
  limits,
  normalizeHostPattern,
  WireError,
} from "@opencomputer/protocol/api";
import { createPageFollowers } from "../concurrency/follow-pages.ts";
import { sandboxNotFound } from "../sandboxes/rows/find-sandbox.ts";
import type { SandboxRepository } from "../sandboxes/rows/sandbox-repository.ts";
import type { Workers } from "../worker/workers.ts";
import type { EgressFilter, EgressLogRepository } from "./egress-log-repository.ts";
import { explainEgress } from "./explain-egress.ts";
import { suggestAllowlist } from "./suggest-allowlist.ts";

/**
 * The egress logs of an org's sandboxes, as the API's callers see them: also of sandboxes
 * that were killed. Every method throws a `WireError` `sandbox_not_found`.
 */
export interface EgressLogService {
  /** @throws {WireError} `invalid_host_pattern` */
  list(orgId: string, sandboxId: string, query: EgressLogQuery): Promise<EgressPage>;
  /**
   * Resolves with the entries after a cursor, or from now on without one, each once it is
   * stored, until the signal is aborted.
   *
   * @throws {WireError} `too_many_requests`, `invalid_host_pattern`
   */
  follow(
    orgId: string,
    sandboxId: string,
    query: Pick<EgressLogQuery, "cursor" | "refused" | "host">,
    signal: AbortSignal,
  ): Promise<AsyncIterable<EgressEntry>>;
  suggest(orgId: string, sandboxId: string): Promise<EgressSuggestion>;
  /** @throws {WireError} `invalid_request`, `sandbox_not_running`, `egress_proxy_unavailable` */
  explain(orgId: string, sandboxId: string, query: ExplainEgressQuery): Promise<EgressExplanation>;
}

export function createEgressLogService(deps: {
  entries: EgressLogRepository;
  sandboxes: SandboxRepository;
  workers: Workers;
}): EgressLogService {
  const { entries, sandboxes } = deps;
  const followers = createPageFollowers({
    perOrgMax: limits.egressLogFollowersPerOrgMax,
    refusal: `Egress log stream limit reached: this org follows egress logs in ${limits.egressLogFollowersPerOrgMax} requests, the maximum. Close one, or list entries`,
  });

  /** A sandbox's row may have been deleted before the last of its entries. */
  async function assertVisible(orgId: string, sandboxId: string): Promise<void> {
    const sandbox = await sandboxes.find(orgId, sandboxId);
    if (sandbox?.purpose === "user" && sandbox.state !== "creating") return;
    if (sandbox === undefined && (await entries.has(orgId, sandboxId))) return;
    throw sandboxNotFound(sandboxId);
  }

  return {
    async list(orgId, sandboxId, query) {
      const filter = filterOf(query);
      await assertVisible(orgId, sandboxId);
      const { cursor, order = "asc", limit = defaults.egressLogPageEntries } = query;
      return entries.list(orgId, sandboxId, filter, { cursor: placeOf(cursor), order, limit });
    },

    async follow(orgId, sandboxId, query, signal) {
      const filter = filterOf(query);
      await assertVisible(orgId, sandboxId);
      const from = placeOf(query.cursor) ?? (await entries.end(orgId, sandboxId));
      return followers.follow(
        orgId,
        from,
        async (cursor, limit) => {
          const page = { cursor, order: "asc", limit } as const;
          const found = await entries.list(orgId, sandboxId, filter, page);
          return { items: found.entries, next: Number(found.cursor), hasMore: found.hasMore };
        },
        signal,
      );
    },

    async suggest(orgId, sandboxId) {
      await assertVisible(orgId, sandboxId);
      return suggestAllowlist(await entries.summarize(orgId, sandboxId));
    },

    explain: (orgId, sandboxId, query) => explainEgress(deps, orgId, sandboxId, query),
  };
}

function placeOf(cursor: string | undefined): number | undefined {
  return cursor === undefined ? undefined : Number(cursor);
}

function filterOf({ refused, host }: Pick<EgressLogQuery, "refused" | "host">): EgressFilter {
  return { isRefused: refused === true, hostPattern: hostPatternOf(host) };
}

/** @throws {WireError} `invalid_host_pattern` */
function hostPatternOf(host: string | undefined): string | undefined {
  if (host === undefined || host === "") return undefined;
  try {
    return normalizeHostPattern(host);
  } catch (error) {
    if (!(error instanceof HostPatternError)) throw error;
    throw new WireError("invalid_host_pattern", `host: ${error.message}`, { cause: error });
  }
}
