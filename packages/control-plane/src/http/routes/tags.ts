import {
  sandboxTagsSchema,
  tagChangesSchema,
  tagKeysSchema,
  tagsSchema,
} from "@opencomputer/protocol/api";
import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import type { TagService } from "../../sandboxes/service/tag-service.ts";
import { idParamsSchema } from "./route-parts.ts";

export const tagRoutes: FastifyPluginAsyncZod<{ tags: TagService }> = async (app, { tags }) => {
  app.put(
    "/sandboxes/:id/tags",
    {
      schema: {
        summary: "Replace the tags of a sandbox",
        params: idParamsSchema,
        body: tagsSchema,
        response: { 200: sandboxTagsSchema },
      },
    },
    async (request) => tags.replace(request.orgId, request.params.id, request.body),
  );

  app.patch(
    "/sandboxes/:id/tags",
    {
      schema: {
        summary: "Set or remove some tags of a sandbox",
        params: idParamsSchema,
        body: tagChangesSchema,
        response: { 200: sandboxTagsSchema },
      },
    },
    async (request) => tags.change(request.orgId, request.params.id, request.body),
  );

  app.get(
    "/sandboxes/:id/tags",
    {
      schema: {
        summary: "Get the tags of a sandbox",
        params: idParamsSchema,
        response: { 200: sandboxTagsSchema },
      },
    },
    async (request) => tags.get(request.orgId, request.params.id),
  );

  app.get(
    "/tags",
    { schema: { summary: "List the tag keys in use", response: { 200: tagKeysSchema } } },
    async (request) => ({
      keys: await tags.listKeys(request.orgId),
    }),
  );
};
