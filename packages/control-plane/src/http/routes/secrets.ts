import {
  revokeSecretResponseSchema,
  type SetSecretRequest,
  secretNameSchema,
  setSecretRequestSchema,
  setSecretResponseSchema,
  WireError,
} from "@opencomputer/protocol/api";
import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import { awsSecretValue } from "../../secret-kinds/aws-value.ts";
import { assertVariableNames } from "../../secret-kinds/secret-variables.ts";
import type { SecretStoreService } from "../../secret-stores/secret-store-service.ts";
import { SecretValue } from "../../vault/secret-value.ts";
import { noContent } from "./route-parts.ts";

export interface SecretOwner {
  /** The path of the routes, such as `/projects/:id/secrets`. */
  path: string;
  /** As the summaries of the routes name it. */
  name: "project" | "store";
  /** The store that has the secrets of an owner. @throws {WireError} when there is no such owner */
  storeIdOf(orgId: string, ownerId: string): Promise<string>;
  /** As {@link storeIdOf}, also for a store that was deleted, when copies of its secrets remain. */
  storeIdToRevokeIn(orgId: string, ownerId: string): Promise<string>;
}

const secretParamsSchema = z.object({ id: z.string(), name: z.string() });

/** Adds the routes that set, revoke and delete one secret of a store, or of a project. */
export function addSecretRoutes(
  app: Parameters<FastifyPluginAsyncZod>[0],
  owner: SecretOwner,
  secretStores: SecretStoreService,
): void {
  const path = `${owner.path}/:name`;

  app.put(
    path,
    {
      schema: {
        summary: `Set a secret of a ${owner.name}`,
        params: secretParamsSchema,
        body: setSecretRequestSchema,
        response: { 200: setSecretResponseSchema },
      },
    },
    async (request) => {
      const { allowedHosts, substituteIn } = request.body;
      const storeId = await owner.storeIdOf(request.orgId, request.params.id);
      const name = parseSecretName(request.params.name);
      const kind = request.body.kind ?? "value";
      assertVariableNames({ name, kind });
      return secretStores.setSecret(request.orgId, storeId, {
        ...{ name, kind, value: secretValueOf(request.body) },
        allowedHosts: allowedHosts ?? undefined,
        substituteIn: substituteIn ?? undefined,
      });
    },
  );

  app.post(
    `${path}/revoke`,
    {
      schema: {
        summary: `Revoke a secret of a ${owner.name}: nothing uses its value again`,
        params: secretParamsSchema,
        response: { 200: revokeSecretResponseSchema },
      },
    },
    async (request) => {
      const storeId = await owner.storeIdToRevokeIn(request.orgId, request.params.id);
      const name = parseSecretName(request.params.name);
      return secretStores.revokeSecret(request, storeId, name);
    },
  );

  app.delete(
    path,
    {
      schema: {
        summary: `Delete a secret of a ${owner.name}`,
        response: noContent,
        params: secretParamsSchema,
      },
    },
    async (request, reply) => {
      const storeId = await owner.storeIdOf(request.orgId, request.params.id);
      const name = parseSecretName(request.params.name);
      await secretStores.deleteSecret(request.orgId, storeId, name);
      return reply.code(204).send();
    },
  );
}

function secretValueOf(request: SetSecretRequest): SecretValue {
  return request.kind === "aws" ? awsSecretValue(request) : new SecretValue(request.value);
}

/** @throws {WireError} `invalid_secret_name` */
function parseSecretName(text: string): string {
  const parsed = secretNameSchema.safeParse(text);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new WireError(
    "invalid_secret_name",
    `The secret's name ${issue?.message ?? "is not valid"}, found ${JSON.stringify(text.slice(0, 128))}`,
  );
}
