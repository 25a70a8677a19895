import {
  createSecretStoreRequestSchema,
  revokeSecretResponseSchema,
  secretEntrySchema,
  secretStoreSchema,
  setSecretRequestSchema,
  setSecretResponseSchema,
  updateSecretStoreRequestSchema,
} from "@opencomputer/protocol";
import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import { assertNoPublicSuffix } from "../../secret-stores/assert-no-public-suffix.ts";
import type { SecretRepository } from "../../secret-stores/secret-repository.ts";
import type { SecretStoreRepository } from "../../secret-stores/secret-store-repository.ts";
import type { SecretStoreService } from "../../secret-stores/secret-store-service.ts";
import { SecretValue } from "../../vault/secret-value.ts";
import { noContent } from "../no-content.ts";
import { parseSecretName } from "../secret-name.ts";

export interface SecretStoreRoutes {
  stores: SecretStoreRepository;
  secrets: SecretRepository;
  secretStoreService: SecretStoreService;
}

const paramsSchema = z.object({ id: z.string() });
const secretParamsSchema = z.object({ id: z.string(), name: z.string() });

export const secretStoreRoutes: FastifyPluginAsyncZod<SecretStoreRoutes> = async (app, deps) => {
  const { stores, secrets, secretStoreService } = deps;

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
      const store = await stores.create(request.orgId, { name, egressAllowlist, substituteIn });
      return reply.code(201).send(store);
    },
  );

  app.get(
    "/secret-stores",
    { schema: { summary: "List secret stores", response: { 200: z.array(secretStoreSchema) } } },
    async (request) => stores.list(request.orgId),
  );

  app.get(
    "/secret-stores/:id",
    {
      schema: {
        summary: "Get a secret store",
        params: paramsSchema,
        response: { 200: secretStoreSchema },
      },
    },
    async (request) => stores.get(request.orgId, request.params.id),
  );

  app.put(
    "/secret-stores/:id",
    {
      schema: {
        summary: "Change a secret store",
        params: paramsSchema,
        body: updateSecretStoreRequestSchema,
        response: { 200: secretStoreSchema },
      },
    },
    async (request) => {
      const { name, egressAllowlist, substituteIn } = request.body;
      assertNoPublicSuffix(egressAllowlist ?? []);
      return secretStoreService.update(request.orgId, request.params.id, {
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
        params: paramsSchema,
      },
    },
    async (request, reply) => {
      await stores.delete(request.orgId, request.params.id);
      return reply.code(204).send();
    },
  );

  app.get(
    "/secret-stores/:id/secrets",
    {
      schema: {
        summary: "List the secrets of a store, without their values",
        params: paramsSchema,
        response: { 200: z.array(secretEntrySchema) },
      },
    },
    async (request) => {
      const store = await stores.get(request.orgId, request.params.id);
      return secrets.list(request.orgId, store.id);
    },
  );

  app.put(
    "/secret-stores/:id/secrets/:name",
    {
      schema: {
        summary: "Set a secret of a store",
        params: secretParamsSchema,
        body: setSecretRequestSchema,
        response: { 200: setSecretResponseSchema },
      },
    },
    async (request) => {
      const { value, allowedHosts, substituteIn } = request.body;
      const store = await stores.get(request.orgId, request.params.id);
      const name = parseSecretName(request.params.name);
      return secretStoreService.setSecret(request.orgId, store.id, {
        name,
        value: new SecretValue(value),
        allowedHosts: allowedHosts ?? undefined,
        substituteIn: substituteIn ?? undefined,
      });
    },
  );

  app.post(
    "/secret-stores/:id/secrets/:name/revoke",
    {
      schema: {
        summary: "Revoke a secret of a store: nothing uses its value again",
        params: secretParamsSchema,
        response: { 200: revokeSecretResponseSchema },
      },
    },
    async (request) => {
      const storeId = await stores.idToRevokeIn(request.orgId, request.params.id);
      const name = parseSecretName(request.params.name);
      return secretStoreService.revokeSecret(request, storeId, name);
    },
  );

  app.delete(
    "/secret-stores/:id/secrets/:name",
    {
      schema: {
        summary: "Delete a secret of a store",
        response: noContent,
        params: secretParamsSchema,
      },
    },
    async (request, reply) => {
      const store = await stores.get(request.orgId, request.params.id);
      await secrets.delete(request.orgId, store.id, parseSecretName(request.params.name));
      return reply.code(204).send();
    },
  );
};
