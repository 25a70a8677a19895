import type { ApiKeyEntry, CreatedApiKey } from "@opencomputer/protocol/api";
import type { ApiKeyRepository } from "../../orgs/api-key-repository.ts";
import type { Authentication } from "./authentication.ts";
import type { OpenRequests } from "./open-requests.ts";

/** The keys of an org, and what they have opened. */
export interface ApiKeyService {
  create(orgId: string, name: string): Promise<CreatedApiKey>;
  list(orgId: string): Promise<ApiKeyEntry[]>;
  /** Revokes a key; it opens nothing from then on. */
  revoke(orgId: string, apiKeyId: string): Promise<void>;
  /** Ends what revoked keys have opened. */
  endRevoked(): Promise<void>;
}

export function createApiKeyService(deps: {
  apiKeys: ApiKeyRepository;
  authentication: Pick<Authentication, "forgetKeys">;
  openRequests: Pick<OpenRequests, "endUnauthorized">;
}): ApiKeyService {
  const { apiKeys, authentication, openRequests } = deps;
  return {
    create: (orgId, name) => apiKeys.create(orgId, name),
    list: (orgId) => apiKeys.list(orgId),
    async revoke(orgId, apiKeyId) {
      await apiKeys.revoke(orgId, apiKeyId);
      authentication.forgetKeys();
    },
    endRevoked: () => openRequests.endUnauthorized(),
  };
}
