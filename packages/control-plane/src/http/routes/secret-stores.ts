import {
  createSecretStoreRequestSchema,
  secretEntrySchema,
  secretStoreSchema,
  updateSecretStoreRequestSchema,
} from "@opencomputer/protocol/api";
import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import { assertNoPublicSuffix } from "../../secret-stores/assert-no-public-suffix.ts";
import type { SecretStoreService } from "../../secret-stores/secret-store-service.ts";
import { idParamsSchema, noContent } from "./route-parts.ts";
import { addSecretRoutes } from "./secrets.ts";

export const secretStoreRoutes: FastifyPluginAsyncZod<{
  secretStores: SecretStoreService;
}> = async (app, { secretStores }) => {
  app.post(
    "/secret-stores",
    {
      schema: {
        summary: "Create a secret store",
        body: createSecretStoreRequestSchema,
        response: { 201: secretStoreSchema },
      },
    },
    async (request, reply) => {
      const { name } = request.body;
      const egressAllowlist = request.body.egressAllowlist ?? [];
      assertNoPublicSuffix(egressAllowlist);
      const substituteIn = request.body.substituteIn ?? null;
      const store = await secretStores.create(request.orgId, {
        name,
        egressAllowlist,
        substituteIn,
      });
      return reply.code(201).send(store);
    },
  );

  app.get(
    "/secret-stores",
    { schema: { summary: "List secret stores", response: { 200: z.array(secretStoreSchema) } } },
    async (request) => secretStores.list(request.orgId),
  );

  app.get(
    "/secret-stores/:id",
    {
      schema: {
        summary: "Get a secret store",
        params: idParamsSchema,
        response: { 200: secretStoreSchema },
      },
    },
    async (request) => secretStores.get(request.orgId, request.params.id),
  );

  app.put(
    "/secret-stores/:id",
    {
      schema: {
        summary: "Change a secret store",
        params: idParamsSchema,
        body: updateSecretStoreRequestSchema,
        response: { 200: secretStoreSchema },
      },
    },
    async (request) => {
      const { name, egressAllowlist, substituteIn } = request.body;
      assertNoPublicSuffix(egressAllowlist ?? []);
      return secretStores.update(request.orgId, request.params.id, {
        ...(name ? { name } : {}),
        ...(egressAllowlist ? { egressAllowlist } : {}),
        ...(substituteIn ? { substituteIn: substituteIn.length === 0 ? null : substituteIn } : {}),
      });
    },
  );

  app.delete(
    "/secret-stores/:id",
    {
      schema: {
        summary: "Delete a secret store and its secrets",
        response: noContent,
        params: idParamsSchema,
      },
    },
    async (request, reply) => {
      await secretStores.delete(request.orgId, request.params.id);
      return reply.code(204).send();
    },
  );

  app.get(
    "/secret-stores/:id/secrets",
    {
      schema: {
        summary: "List the secrets of a store, without their values",
        params: idParamsSchema,
        response: { 200: z.array(secretEntrySchema) },
      },
    },
    async (request) => {
      const store = await secretStores.get(request.orgId, request.params.id);
      return secretStores.listSecrets(request.orgId, store.id);
    },
  );

  addSecretRoutes(
    app,
    {
      path: "/secret-stores/:id/secrets",
      name: "store",
      storeIdOf: async (orgId, storeId) => (await secretStores.get(orgId, storeId)).id,
      storeIdToRevokeIn: (orgId, storeId) => secretStores.idToRevokeIn(orgId, storeId),
    },
    secretStores,
  );
};
