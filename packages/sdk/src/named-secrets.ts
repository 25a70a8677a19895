import {
  type RevokeSecretResponse,
  revokeSecretResponseSchema,
  type SetSecretResponse,
  setSecretResponseSchema,
} from "@opencomputer/protocol";
import { type ConnectionOptions, resolveConnection } from "./connection.ts";
import { apiPath } from "./request/api-request.ts";
import { requestDeletion, requestJson } from "./request/send-request.ts";

export interface SetSecretOptions extends ConnectionOptions {
  /**
   * Hosts that the value may be sent to: `api.example.com`, `*.example.com`.
   * Absent keeps the limits set earlier (none for a new secret); `[]` lifts
   * them, so that every host the sandbox may reach receives the value.
   */
  allowedHosts?: readonly string[] | undefined;
  /**
   * Where in a request the token becomes the value: `header`, `header:NAME`,
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
  value: string,
  options: SetSecretOptions,
): Promise<SetSecretResponse> {
  const { allowedHosts, substituteIn } = options;
  return await requestJson(
    resolveConnection(options),
    {
      method: "PUT",
      path: ownerPath + apiPath`/secrets/${name}`,
      body: { kind: "json", value: { value, allowedHosts, substituteIn } },
    },
    setSecretResponseSchema,
  );
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
