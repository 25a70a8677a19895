import {
  type AwsCredentials,
  type RevokeSecretResponse,
  type SecretEntry,
  type SecretStoreRecord,
  type SetSecretResponse,
  secretEntrySchema,
  secretStoreSchema,
} from "@opencomputer/protocol/api";
import { type ConnectionOptions, resolveConnection } from "./connection.ts";
import { putSecret, removeSecret, type SetSecretOptions, withdrawSecret } from "./named-secrets.ts";
import { apiPath } from "./request/api-request.ts";
import { requestDeletion, requestJson } from "./request/send-request.ts";

/** Options of {@link SecretStore.create}. */
export interface CreateSecretStoreOptions extends ConnectionOptions {
  /** Unique in the org, at most 128 characters. */
  name: string;
  /** Hosts that a sandbox may reach: `api.example.com`, `*.example.com`. Empty or absent: all hosts. */
  egressAllowlist?: readonly string[] | undefined;
  /** Placements of the store's secrets that name none: `header`, `query`, …. Absent: the operator's default. */
  substituteIn?: readonly string[] | undefined;
}

/** Options of {@link SecretStore.update}. */
export interface UpdateSecretStoreOptions extends ConnectionOptions {
  /** Unique in the org, at most 128 characters. Absent keeps the name. */
  name?: string | undefined;
  /** Absent keeps the list; `[]` clears it, so that all hosts may be reached. */
  egressAllowlist?: readonly string[] | undefined;
  /** Absent keeps the placements; `[]` clears them, so that the operator's default applies. */
  substituteIn?: readonly string[] | undefined;
}

/**
 * Named sets of encrypted secrets, with the hosts that a sandbox may reach.
 *
 * Values are never returned. In a sandbox each secret is a sealed token, which
 * is replaced by the value only in requests to an allowed host, and there only
 * in the secret's placements.
 * Every call throws {@link OpenComputerError}.
 */
export const SecretStore = {
  /**
   * Creates a store.
   *
   * @throws `name_in_use`, `limit_exceeded`; `invalid_host_pattern` for a malformed host, `invalid_request` for a malformed placement.
   */
  async create(options: CreateSecretStoreOptions): Promise<SecretStoreRecord> {
    const { name, egressAllowlist, substituteIn } = options;
    return await requestJson(
      resolveConnection(options),
      {
        method: "POST",
        path: "/secret-stores",
        body: { kind: "json", value: { name, egressAllowlist, substituteIn } },
      },
      secretStoreSchema,
    );
  },

  /** Lists all stores of the org. */
  async list(options: ConnectionOptions = {}): Promise<SecretStoreRecord[]> {
    return await requestJson(
      resolveConnection(options),
      { method: "GET", path: "/secret-stores" },
      secretStoreSchema.array(),
    );
  },

  /** Returns one store, by its UUID. @throws `not_found`. */
  async get(storeId: string, options: ConnectionOptions = {}): Promise<SecretStoreRecord> {
    return await requestJson(
      resolveConnection(options),
      { method: "GET", path: storePath(storeId) },
      secretStoreSchema,
    );
  },

  /** Changes the fields that are given. @throws `not_found`, `name_in_use`, and as {@link SecretStore.create}. */
  async update(storeId: string, options: UpdateSecretStoreOptions): Promise<SecretStoreRecord> {
    const { name, egressAllowlist, substituteIn } = options;
    return await requestJson(
      resolveConnection(options),
      {
        method: "PUT",
        path: storePath(storeId),
        body: { kind: "json", value: { name, egressAllowlist, substituteIn } },
      },
      secretStoreSchema,
    );
  },

  /** Deletes a store and all its secrets. Running sandboxes are not affected. @throws `not_found`. */
  async delete(storeId: string, options: ConnectionOptions = {}): Promise<void> {
    await requestDeletion(resolveConnection(options), {
      method: "DELETE",
      path: storePath(storeId),
    });
  },

  /**
   * Sets a secret, or replaces its value: running sandboxes then use the new
   * value under the same token.
   *
   * @param name Environment variable that holds the token in a sandbox. Of AWS credentials the
   *   beginning of three: `AWS` gives `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and `AWS_SESSION_TOKEN`.
   * @param value 1 byte to 64 KiB; or AWS credentials, which requests are signed with.
   * @returns With a `warning` when the value can be guessed, so that responses are not searched for it.
   * @throws `not_found`, `invalid_secret_name`, `invalid_host_pattern`, `limit_exceeded`; `invalid_request` for a malformed placement;
   *   `name_in_use` when the name is that of a text and the value is AWS credentials, or the other way round.
   */
  async setSecret(
    storeId: string,
    name: string,
    value: string | AwsCredentials,
    options: SetSecretOptions = {},
  ): Promise<SetSecretResponse> {
    return await putSecret(storePath(storeId), name, value, options);
  },

  /** Lists the secrets of a store without their values; `substituteIn` has the placements that apply. @throws `not_found`. */
  async listSecrets(storeId: string, options: ConnectionOptions = {}): Promise<SecretEntry[]> {
    return await requestJson(
      resolveConnection(options),
      { method: "GET", path: `${storePath(storeId)}/secrets` },
      secretEntrySchema.array(),
    );
  },

  /**
   * Revokes the value of a secret at once, for every sandbox and checkpoint that
   * has it. They keep its token, which is not replaced in any request until the
   * secret is set again. Revoking it again changes nothing.
   *
   * @throws `not_found`; `enforcement_pending` when a running sandbox may still use the value: call again.
   */
  async revokeSecret(
    storeId: string,
    name: string,
    options: ConnectionOptions = {},
  ): Promise<RevokeSecretResponse> {
    return await withdrawSecret(storePath(storeId), name, options);
  },

  /** Deletes a secret. Running sandboxes are not affected. @throws `not_found`. */
  async deleteSecret(
    storeId: string,
    name: string,
    options: ConnectionOptions = {},
  ): Promise<void> {
    await removeSecret(storePath(storeId), name, options);
  },
};

function storePath(storeId: string): string {
  return apiPath`/secret-stores/${storeId}`;
}
