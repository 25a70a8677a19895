import {
  apiKeyEntrySchema,
  createApiKeyRequestSchema,
  createdApiKeySchema,
} from "@opencomputer/protocol";
import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import type { ApiKeyRepository } from "../../orgs/api-key-repository.ts";
import type { Authentication } from "../authentication.ts";

export interface ApiKeyRoutes {
  apiKeys: ApiKeyRepository;
  forgetKeys: Authentication["forgetKeys"];
}

/** The keys of the caller's org. Each of them may manage all of them. */
export const apiKeyRoutes: FastifyPluginAsyncZod<ApiKeyRoutes> = async (app, deps) => {
  const { apiKeys, forgetKeys } = deps;

  app.post(
    "/keys",
    { schema: { body: createApiKeyRequestSchema, response: { 201: createdApiKeySchema } } },
    async (request, reply) => {
      const created = await apiKeys.create(request.orgId, request.body.name);
      return reply.code(201).header("cache-control", "no-store").send(created);
    },
  );

  app.get("/keys", { schema: { response: { 200: z.array(apiKeyEntrySchema) } } }, async (request) =>
    apiKeys.list(request.orgId),
  );

  app.delete(
    "/keys/:id",
    { schema: { params: z.object({ id: z.string() }) } },
    async (request, reply) => {
      await apiKeys.revoke(request.orgId, request.params.id);
      forgetKeys();
      return reply.code(204).send();
    },
  );
};
