import {
  createProjectRequestSchema,
  projectSchema,
  projectSecretNamesSchema,
  projectSecretsQuerySchema,
  secretEntrySchema,
  updateProjectRequestSchema,
} from "@opencomputer/protocol/api";
import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import type { ProjectRepository } from "../../projects/project-repository.ts";
import { assertNoPublicSuffix } from "../../secret-stores/assert-no-public-suffix.ts";
import type { SecretStoreService } from "../../secret-stores/secret-store-service.ts";
import { idParamsSchema, noContent } from "./route-parts.ts";
import { addSecretRoutes } from "./secrets.ts";

export interface ProjectRoutes {
  projects: ProjectRepository;
  secretStores: SecretStoreService;
}

export const projectRoutes: FastifyPluginAsyncZod<ProjectRoutes> = async (app, deps) => {
  const { projects, secretStores } = deps;

  app.post(
    "/projects",
    {
      schema: {
        summary: "Create a project",
        body: createProjectRequestSchema,
        response: { 201: projectSchema },
      },
    },
    async (request, reply) => {
      const { name, template, cpuCount, memoryMB, timeoutSec, egressAllowlist } = request.body;
      assertNoPublicSuffix(egressAllowlist ?? []);
      const project = await projects.create(request.orgId, {
        name,
        template: template ?? "",
        cpuCount: cpuCount ?? 0,
        memoryMB: memoryMB ?? 0,
        timeoutSec: timeoutSec ?? 0,
        egressAllowlist: egressAllowlist ?? [],
      });
      return reply.code(201).send(project);
    },
  );

  app.get(
    "/projects",
    { schema: { summary: "List projects", response: { 200: z.array(projectSchema) } } },
    async (request) => projects.list(request.orgId),
  );

  app.get(
    "/projects/:id",
    {
      schema: {
        summary: "Get a project",
        params: idParamsSchema,
        response: { 200: projectSchema },
      },
    },
    async (request) => projects.get(request.orgId, request.params.id),
  );

  app.put(
    "/projects/:id",
    {
      schema: {
        summary: "Change a project",
        params: idParamsSchema,
        body: updateProjectRequestSchema,
        response: { 200: projectSchema },
      },
    },
    async (request) => {
      const { name, template, cpuCount, memoryMB, timeoutSec, egressAllowlist } = request.body;
      assertNoPublicSuffix(egressAllowlist ?? []);
      return projects.update(request.orgId, request.params.id, {
        ...(name ? { name } : {}),
        ...(template ? { template } : {}),
        ...(cpuCount ? { cpuCount } : {}),
        ...(memoryMB ? { memoryMB } : {}),
        ...(timeoutSec ? { timeoutSec } : {}),
        ...(egressAllowlist ? { egressAllowlist } : {}),
      });
    },
  );

  app.delete(
    "/projects/:id",
    {
      schema: {
        summary: "Delete a project and its secrets",
        response: noContent,
        params: idParamsSchema,
      },
    },
    async (request, reply) => {
      await projects.delete(request.orgId, request.params.id);
      return reply.code(204).send();
    },
  );

  app.get(
    "/projects/:id/secrets",
    {
      schema: {
        summary:
          "List the secrets of a project: their names, or with `details=true` all but their values",
        params: idParamsSchema,
        querystring: projectSecretsQuerySchema,
        response: { 200: z.union([projectSecretNamesSchema, z.array(secretEntrySchema)]) },
      },
    },
    async (request) => {
      const storeId = await projects.storeIdOf(request.orgId, request.params.id);
      const entries = await secretStores.listSecrets(request.orgId, storeId);
      return request.query.details === "true" ? entries : entries.map(({ name }) => name);
    },
  );

  addSecretRoutes(
    app,
    {
      path: "/projects/:id/secrets",
      name: "project",
      storeIdOf: (orgId, projectId) => projects.storeIdOf(orgId, projectId),
      storeIdToRevokeIn: (orgId, projectId) => projects.storeIdOf(orgId, projectId),
    },
    secretStores,
  );
};
