import { WireError } from "@opencomputer/protocol/api";
import type { FastifyRequest } from "fastify";
import { LRUCache } from "lru-cache";
import { z } from "zod";
import type { ApiKeyOwner, ApiKeyRepository } from "../../orgs/api-key-repository.ts";
import { hashApiKey } from "../../orgs/api-key-repository.ts";
import type { SandboxTokens } from "../../sandboxes/identity/sandbox-identity.ts";
import type { DashboardSessions } from "./dashboard-sessions.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** The org whose objects this request may see. */
    orgId: string;
    /** The key that it came with, or whose session it has; null for one with a sandbox token. */
    apiKeyId: string | null;
    /**
     * The session of the dashboard, by its hash, whose cookie it came with, so that no
     * credential may be in its response; null for one that came with something else.
     */
    dashboardSession: string | null;
  }
  interface FastifyContextConfig {
    /** Whether the token of the sandbox in the path opens this route too. */
    acceptsSandboxToken?: boolean;
    /** Whether its response is a credential, which a browser does not get. */
    returnsCredential?: boolean;
  }
}

/** A key that another process has revoked may still open the API for this long. */
const cacheMilliseconds = 900;
const cachedKeysMax = 1_000;

const sandboxParamsSchema = z.object({ id: z.string() });
const webSocketQuerySchema = z.object({ api_key: z.string() });

/** Finds the org of each request. */
export interface Authentication {
  /** The hook; see {@link createAuthentication}. */
  authenticate(request: FastifyRequest): Promise<void>;
  /** Forgets the keys that were looked up, so that a revocation holds at once. */
  forgetKeys(): void;
}

/**
 * The hook that finds the org of a request, by API key, by a session of the
 * dashboard or, on the data routes of a sandbox, by that sandbox's token.
 *
 * @throws {WireError} `missing_api_key`, `invalid_api_key`, `forbidden`, `origin_not_allowed`
 */
export function createAuthentication(deps: {
  apiKeys: ApiKeyRepository;
  tokens: SandboxTokens;
  dashboardSessions: Pick<DashboardSessions, "find">;
}): Authentication {
  const owners = new LRUCache<string, ApiKeyOwner>({ max: cachedKeysMax, ttl: cacheMilliseconds });

  /** Lookups under way, which requests of the same key share. */
  const lookups = new Map<string, Promise<ApiKeyOwner | undefined>>();

  function lookUp(key: string, hash: string): Promise<ApiKeyOwner | undefined> {
    const underWay = lookups.get(hash);
    if (underWay !== undefined) return underWay;
    const lookup = deps.apiKeys
      .find(key)
      .then((owner) => {
        // One that began before a revocation is not kept after it.
        if (owner !== undefined && lookups.get(hash) === lookup) owners.set(hash, owner);
        return owner;
      })
      .finally(() => {
        if (lookups.get(hash) === lookup) lookups.delete(hash);
      });
    lookups.set(hash, lookup);
    return lookup;
  }

  async function ownerOfKey(key: string): Promise<ApiKeyOwner> {
    const hash = hashApiKey(key);
    const cached = owners.get(hash);
    if (cached !== undefined) return cached;
    const owner = await lookUp(key, hash);
    if (owner === undefined) throw new WireError("invalid_api_key", "invalid API key");
    return owner;
  }

  function orgOfToken(token: string, request: FastifyRequest): string {
    const params = sandboxParamsSchema.safeParse(request.params);
    const orgId = params.success ? deps.tokens.verify(token, params.data.id) : undefined;
    if (orgId === undefined) {
      throw new WireError("forbidden", "This token is not valid for this sandbox");
    }
    return orgId;
  }

  return {
    forgetKeys() {
      lookups.clear();
      owners.clear();
    },

    async authenticate(request) {
      const key = keyOf(request);
      if (typeof key === "string" && key !== "") {
        const { apiKeyId, orgId } = await ownerOfKey(key);
        request.apiKeyId = apiKeyId;
        request.orgId = orgId;
        return;
      }
      const groups = /^Bearer +(?<token>\S+) *$/i.exec(request.headers.authorization ?? "")?.groups;
      const token = groups?.["token"];
      const session = token === undefined ? await deps.dashboardSessions.find(request) : undefined;
      if (session !== undefined) {
        if (request.routeOptions.config.returnsCredential === true) throw credentialRefused();
        request.apiKeyId = session.keyId;
        request.orgId = session.orgId;
        request.dashboardSession = session.sha256;
        return;
      }
      if (token === undefined || request.routeOptions.config.acceptsSandboxToken !== true) {
        throw new WireError("missing_api_key", "missing API key");
      }
      request.orgId = orgOfToken(token, request);
    },
  };
}

function credentialRefused(): WireError {
  return new WireError(
    "forbidden",
    "The response would contain a credential, which a session of the dashboard does not receive: use oc, or an API key",
  );
}

/**
 * A browser sends no header of the page's choice with a WebSocket, so the key may be in the URL.
 * An empty header is what a client sends whose key is not set: it counts as none.
 */
function keyOf(request: FastifyRequest): unknown {
  const inHeader = request.headers["x-api-key"];
  if (inHeader || !request.ws) return inHeader;
  return webSocketQuerySchema.safeParse(request.query).data?.api_key;
}
