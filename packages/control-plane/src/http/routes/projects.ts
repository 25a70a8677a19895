import {
  createProjectRequestSchema,
  projectSchema,
  projectSecretNamesSchema,
  revokeSecretResponseSchema,
  setSecretRequestSchema,
  setSecretResponseSchema,
  updateProjectRequestSchema,
} from "@opencomputer/protocol";
import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import type { ProjectRepository } from "../../projects/project-repository.ts";
import { assertNoPublicSuffix } from "../../secret-stores/assert-no-public-suffix.ts";
import type { SecretRepository } from "../../secret-stores/secret-repository.ts";
import type { SecretStoreService } from "../../secret-stores/secret-store-service.ts";
import { SecretValue } from "../../vault/secret-value.ts";
import { noContent } from "../no-content.ts";
import { parseSecretName } from "../secret-name.ts";

export interface ProjectRoutes {
  projects: ProjectRepository;
  secrets: SecretRepository;
  secretStoreService: Pick<SecretStoreService, "setSecret" | "revokeSecret">;
}

const paramsSchema = z.object({ id: z.string() });
const secretParamsSchema = z.object({ id: z.string(), name: z.string() });

export const projectRoutes: FastifyPluginAsyncZod<ProjectRoutes> = async (app, deps) => {
  const { projects, secrets, secretStoreService } = deps;

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
      schema: { summary: "Get a project", params: paramsSchema, response: { 200: projectSchema } },
    },
    async (request) => projects.get(request.orgId, request.params.id),
  );

  app.put(
    "/projects/:id",
    {
      schema: {
        summary: "Change a project",
        params: paramsSchema,
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
        params: paramsSchema,
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
        summary: "List the names of the secrets of a project",
        params: paramsSchema,
        response: { 200: projectSecretNamesSchema },
      },
    },
    async (request) => {
      const storeId = await projects.storeIdOf(request.orgId, request.params.id);
      const entries = await secrets.list(request.orgId, storeId);
      return entries.map((entry) => entry.name);
    },
  );

  app.put(
    "/projects/:id/secrets/:name",
    {
      schema: {
        summary: "Set a secret of a project",
        params: secretParamsSchema,
        body: setSecretRequestSchema,
        response: { 200: setSecretResponseSchema },
      },
    },
    async (request) => {
      const { value, allowedHosts, substituteIn } = request.body;
      const storeId = await projects.storeIdOf(request.orgId, request.params.id);
      const name = parseSecretName(request.params.name);
      return secretStoreService.setSecret(request.orgId, storeId, {
        name,
        value: new SecretValue(value),
        allowedHosts: allowedHosts ?? undefined,
        substituteIn: substituteIn ?? undefined,
      });
    },
  );

  app.post(
    "/projects/:id/secrets/:name/revoke",
    {
      schema: {
        summary: "Revoke a secret of a project: nothing uses its value again",
        params: secretParamsSchema,
        response: { 200: revokeSecretResponseSchema },
      },
    },
    async (request) => {
      const storeId = await projects.storeIdOf(request.orgId, request.params.id);
      const name = parseSecretName(request.params.name);
      return secretStoreService.revokeSecret(request, storeId, name);
    },
  );

  app.delete(
    "/projects/:id/secrets/:name",
    {
      schema: {
        summary: "Delete a secret of a project",
        response: noContent,
        params: secretParamsSchema,
      },
    },
    async (request, reply) => {
      const storeId = await projects.storeIdOf(request.orgId, request.params.id);
      await secrets.delete(request.orgId, storeId, parseSecretName(request.params.name));
      return reply.code(204).send();
    },
  );
};
