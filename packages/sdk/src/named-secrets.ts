import {
  type AwsCredentials,
  type RevokeSecretResponse,
  revokeSecretResponseSchema,
  type SetSecretResponse,
  setSecretResponseSchema,
} from "@opencomputer/protocol/api";
import { type ConnectionOptions, resolveConnection } from "./connection.ts";
import { apiPath } from "./request/api-request.ts";
import { requestDeletion, requestJson } from "./request/send-request.ts";

/** Options of {@link SecretStore.setSecret} and {@link Project.setSecret}. */
export interface SetSecretOptions extends ConnectionOptions {
  /**
   * Hosts that the value may be sent to: `api.example.com`, `*.example.com`.
   * Absent keeps the limits set earlier (none for a new secret, `*.amazonaws.com`
   * for new AWS credentials); `[]` removes
   * them, so that the value may be sent to every host that the sandbox may reach.
   */
  allowedHosts?: readonly string[] | undefined;
  /**
   * Where in a request the token is replaced by the value: `header`, `header:NAME`,
   * `body`, `body:FIELD` (a form field or a JSON pointer), `query`, `path`.
   * Absent keeps the placements set earlier; a secret that never had any has
   * its store's, or the operator's, or `["header", "body"]`.
   */
  substituteIn?: readonly string[] | undefined;
}

/** Stores and projects keep secrets under the same routes below their own path. */
export async function putSecret(
  ownerPath: string,
  name: string,
  value: string | AwsCredentials,
  options: SetSecretOptions,
): Promise<SetSecretResponse> {
  const { allowedHosts, substituteIn } = options;
  const limits = { allowedHosts, substituteIn };
  return await requestJson(
    resolveConnection(options),
    {
      method: "PUT",
      path: ownerPath + apiPath`/secrets/${name}`,
      body: { kind: "json", value: { ...valueFields(value), ...limits } },
    },
    setSecretResponseSchema,
  );
}

function valueFields(value: string | AwsCredentials) {
  if (typeof value === "string") return { value };
  const { accessKeyId, secretAccessKey, sessionToken } = value;
  return { kind: "aws", accessKeyId, secretAccessKey, sessionToken };
}

export async function removeSecret(
  ownerPath: string,
  name: string,
  options: ConnectionOptions,
): Promise<void> {
  await requestDeletion(resolveConnection(options), {
    method: "DELETE",
    path: ownerPath + apiPath`/secrets/${name}`,
  });
}

export async function withdrawSecret(
  ownerPath: string,
  name: string,
  options: ConnectionOptions,
): Promise<RevokeSecretResponse> {
  return await requestJson(
    resolveConnection(options),
    { method: "POST", path: ownerPath + apiPath`/secrets/${name}/revoke`, idempotent: true },
    revokeSecretResponseSchema,
  );
}
