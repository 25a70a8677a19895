import {
  apiKeyEntrySchema,
  createApiKeyRequestSchema,
  createdApiKeySchema,
} from "@opencomputer/protocol";
import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import type { ApiKeyRepository } from "../../orgs/api-key-repository.ts";
import type { Authentication } from "../authentication.ts";
import { noContent } from "../no-content.ts";
import type { OpenRequests } from "../open-requests.ts";

export interface ApiKeyRoutes {
  apiKeys: ApiKeyRepository;
  forgetKeys: Authentication["forgetKeys"];
  openRequests: Pick<OpenRequests, "endRevoked">;
}

/** The keys of the caller's org. Each of them may manage all of them. */
export const apiKeyRoutes: FastifyPluginAsyncZod<ApiKeyRoutes> = async (app, deps) => {
  const { apiKeys, forgetKeys, openRequests } = deps;

  app.post(
    "/keys",
    {
      schema: {
        summary: "Create an API key; the only answer that has it",
        body: createApiKeyRequestSchema,
        response: { 201: createdApiKeySchema },
      },
    },
    async (request, reply) => {
      const created = await apiKeys.create(request.orgId, request.body.name);
      return reply.code(201).header("cache-control", "no-store").send(created);
    },
  );

  app.get(
    "/keys",
    {
      schema: {
        summary: "List API keys, without their values",
        response: { 200: z.array(apiKeyEntrySchema) },
      },
    },
    async (request) => apiKeys.list(request.orgId),
  );

  app.delete(
    "/keys/:id",
    {
      schema: {
        summary: "Revoke an API key",
        response: noContent,
        params: z.object({ id: z.string() }),
      },
    },
    async (request, reply) => {
      await apiKeys.revoke(request.orgId, request.params.id);
      forgetKeys();
      // The response is out first: the key may have revoked itself.
      reply.raw.once("close", () => {
        openRequests.endRevoked().catch((error: unknown) => {
          request.log.warn({ err: error }, "what a revoked key has opened ends at the next poll");
        });
      });
      return reply.code(204).send();
    },
  );
};
