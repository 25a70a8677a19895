import { sandboxTagsSchema, tagKeysSchema, tagsSchema } from "@opencomputer/protocol";
import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import type { SandboxRepository } from "../../sandboxes/sandbox-repository.ts";
import { type TagRepository, toSandboxTags } from "../../sandboxes/tag-repository.ts";
import { findSandbox, sandboxNotFound } from "../routed-operation.ts";

export interface TagRoutes {
  sandboxes: SandboxRepository;
  tags: TagRepository;
}

const paramsSchema = z.object({ id: z.string() });

export const tagRoutes: FastifyPluginAsyncZod<TagRoutes> = async (app, deps) => {
  const { sandboxes, tags } = deps;

  app.put(
    "/sandboxes/:id/tags",
    {
      schema: {
        summary: "Replace the tags of a sandbox",
        params: paramsSchema,
        body: tagsSchema,
        response: { 200: sandboxTagsSchema },
      },
    },
    async (request) => {
      const { id } = await findSandbox(sandboxes, request.orgId, request.params.id);
      const replaced = await tags.replace(request.orgId, id, request.body);
      if (replaced === undefined) throw sandboxNotFound(id);
      return replaced;
    },
  );

  app.get(
    "/sandboxes/:id/tags",
    {
      schema: {
        summary: "Get the tags of a sandbox",
        params: paramsSchema,
        response: { 200: sandboxTagsSchema },
      },
    },
    async (request) =>
      toSandboxTags(await findSandbox(sandboxes, request.orgId, request.params.id)),
  );

  app.get(
    "/tags",
    { schema: { summary: "List the tag keys in use", response: { 200: tagKeysSchema } } },
    async (request) => ({
      keys: await tags.listKeys(request.orgId),
    }),
  );
};
