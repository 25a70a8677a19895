import { WireError } from "@opencomputer/protocol";
import type { FastifyRequest } from "fastify";
import { LRUCache } from "lru-cache";
import { z } from "zod";
import { hashApiKey } from "../orgs/api-key.ts";
import type { ApiKeyRepository } from "../orgs/api-key-repository.ts";
import type { SandboxTokens } from "../sandboxes/sandbox-identity.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** The org whose objects this request may see. */
    orgId: string;
  }
  interface FastifyContextConfig {
    /** Whether the token of the sandbox in the path opens this route too. */
    acceptsSandboxToken?: boolean;
  }
}

/** A key that another process has revoked may still open the API for this long. */
const cacheMilliseconds = 5_000;
const cachedKeysMax = 1_000;

const sandboxParamsSchema = z.object({ id: z.string() });

/** Tells requests apart from strangers. */
export interface Authentication {
  /** The hook; see {@link createAuthentication}. */
  authenticate(request: FastifyRequest): Promise<void>;
  /** Has keys looked up anew, so that a revocation holds at once. */
  forgetKeys(): void;
}

/**
 * The hook that finds the org of a request, by API key or, on the data routes
 * of a sandbox, by that sandbox's token.
 *
 * @throws {WireError} `missing_api_key`, `invalid_api_key`, `forbidden`
 */
export function createAuthentication(deps: {
  apiKeys: ApiKeyRepository;
  tokens: SandboxTokens;
}): Authentication {
  const orgs = new LRUCache<string, string>({ max: cachedKeysMax, ttl: cacheMilliseconds });

  /** A lookup that began before a revocation must not be kept after it. */
  let revocations = 0;

  async function orgOfKey(key: string): Promise<string> {
    const hash = hashApiKey(key);
    const cached = orgs.get(hash);
    if (cached !== undefined) return cached;
    const revocationsBefore = revocations;
    const orgId = await deps.apiKeys.findOrg(key);
    if (orgId === undefined) throw new WireError("invalid_api_key", "invalid API key");
    if (revocations === revocationsBefore) orgs.set(hash, orgId);
    return orgId;
  }

  function orgOfToken(token: string, request: FastifyRequest): string {
    const params = sandboxParamsSchema.safeParse(request.params);
    const orgId = params.success ? deps.tokens.verify(token, params.data.id) : undefined;
    if (orgId === undefined) {
      throw new WireError("forbidden", "This token does not open this sandbox");
    }
    return orgId;
  }

  return {
    forgetKeys() {
      revocations += 1;
      orgs.clear();
    },

    async authenticate(request) {
      const key = request.headers["x-api-key"];
      if (typeof key === "string" && key !== "") {
        request.orgId = await orgOfKey(key);
        return;
      }
      const groups = /^Bearer +(?<token>\S+) *$/i.exec(request.headers.authorization ?? "")?.groups;
      const token = groups?.["token"];
      if (token === undefined || request.routeOptions.config.acceptsSandboxToken !== true) {
        throw new WireError("missing_api_key", "missing API key");
      }
      request.orgId = orgOfToken(token, request);
    },
  };
}
