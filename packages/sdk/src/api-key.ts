import {
  type ApiKeyEntry,
  apiKeyEntrySchema,
  type CreatedApiKey,
  createdApiKeySchema,
} from "@opencomputer/protocol/api";
import { type ConnectionOptions, resolveConnection } from "./connection.ts";
import { apiPath } from "./request/api-request.ts";
import { requestDeletion, requestJson } from "./request/send-request.ts";

/** Options of {@link ApiKey.create}. */
export interface CreateApiKeyOptions extends ConnectionOptions {
  /** A name by which people recognize the key; at most 128 characters. */
  name: string;
}

/**
 * The keys of the org that the connection's own key belongs to. Every call
 * throws {@link OpenComputerError}.
 */
export const ApiKey = {
  /** Creates a key. Its value is returned only here. @throws `limit_exceeded`. */
  async create(options: CreateApiKeyOptions): Promise<CreatedApiKey> {
    const { name } = options;
    return await requestJson(
      resolveConnection(options),
      { method: "POST", path: "/keys", body: { kind: "json", value: { name } } },
      createdApiKeySchema,
    );
  },

  /** Lists all keys of the org, oldest first, without their values. */
  async list(options: ConnectionOptions = {}): Promise<ApiKeyEntry[]> {
    return await requestJson(
      resolveConnection(options),
      { method: "GET", path: "/keys" },
      apiKeyEntrySchema.array(),
    );
  },

  /** Revokes a key at once, by its UUID. @throws `not_found`, `last_api_key`, `preset_api_key`. */
  async revoke(keyId: string, options: ConnectionOptions = {}): Promise<void> {
    await requestDeletion(resolveConnection(options), {
      method: "DELETE",
      path: apiPath`/keys/${keyId}`,
    });
  },
};
