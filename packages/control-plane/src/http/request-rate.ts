import { WireError } from "@opencomputer/protocol";
import type { FastifyReply, FastifyRequest } from "fastify";
import { LRUCache } from "lru-cache";

/** Callers that are told apart at the same time; one that was forgotten starts over. */
const callersMax = 10_000;

interface Allowance {
  requests: number;
  at: number;
}

/**
 * The hook that holds each caller to a number of requests a second: a full
 * second's worth at once, and then as they come back evenly. Without a number
 * there is no bound. A caller is an API key, or the sandboxes' tokens of an org.
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
      `This key has made ${most} requests within a second, the most: wait a second, or have OPENCOMPUTER_REQUESTS_PER_SECOND_MAX raised`,
    );
  };
}
