import { WireError } from "@opencomputer/protocol/api";
import type { FastifyReply, FastifyRequest } from "fastify";
import { LRUCache } from "lru-cache";

/** Callers that are counted at the same time; one that was forgotten starts over. */
const callersMax = 10_000;

interface Allowance {
  requests: number;
  at: number;
}

/**
 * The hook that limits the requests of each caller in a second: a full second's
 * worth at once, regained evenly. Without a number there is no limit. A caller is an API key, or the sandboxes' tokens of an org.
 *
 * @throws {WireError} `too_many_requests`, with a Retry-After of one second.
 */
export function createRequestRate(options: {
  requestsPerSecondMax: number | undefined;
  /** Milliseconds, of a clock that does not go back. */
  now: () => number;
}) {
  const { requestsPerSecondMax: most, now } = options;
  const allowances = new LRUCache<string, Allowance>({ max: callersMax });

  return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    if (most === undefined) return;
    const caller = request.apiKeyId ?? request.orgId;
    const at = now();
    const before = allowances.get(caller) ?? { requests: most, at };
    const requests = Math.min(most, before.requests + ((at - before.at) / 1000) * most);
    if (requests >= 1) {
      allowances.set(caller, { requests: requests - 1, at });
      return;
    }
    allowances.set(caller, { requests, at });
    reply.header("retry-after", "1");
    throw new WireError(
      "too_many_requests",
      `Rate limit reached: this key may make ${most} requests in a second. Wait a second, or have OPENCOMPUTER_REQUESTS_PER_SECOND_MAX raised`,
      { remediation: "OPENCOMPUTER_REQUESTS_PER_SECOND_MAX" },
    );
  };
}
