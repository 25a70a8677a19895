import {
  apiKeyEntrySchema,
  createApiKeyRequestSchema,
  createdApiKeySchema,
} from "@opencomputer/protocol/api";
import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import type { ApiKeyService } from "../admit/api-key-service.ts";
import { noContent } from "./route-parts.ts";

/** The keys of the caller's org. Each of them may manage all of them. */
export const apiKeyRoutes: FastifyPluginAsyncZod<{ apiKeys: ApiKeyService }> = async (
  app,
  { apiKeys },
) => {
  app.post(
    "/keys",
    {
      config: { returnsCredential: true },
      schema: {
        summary: "Create an API key; only this response has its value",
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
      // The response is sent first: the key may have revoked itself.
      reply.raw.once("close", () => {
        apiKeys.endRevoked().catch((error: unknown) => {
          request.log.warn({ err: error }, "what a revoked key has opened ends at the next poll");
        });
      });
      return reply.code(204).send();
    },
  );
};
