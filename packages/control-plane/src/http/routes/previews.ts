import {
  createPreviewRequestSchema,
  previewLinkSchema,
  previewPortSchema,
  previewRecordSchema,
  rotatedPreviewAuthSchema,
} from "@opencomputer/protocol/api";
import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import type { PreviewService } from "../../previews/preview-service.ts";
import { idParamsSchema, noContent, originOf } from "./route-parts.ts";

const portParamsSchema = idParamsSchema.extend({
  port: z.coerce.number().pipe(previewPortSchema),
});

/** Previews of a sandbox: who may reach which of its ports from outside. None of these wakes it. */
export const previewRoutes: FastifyPluginAsyncZod<{ previews: PreviewService }> = async (
  app,
  { previews },
) => {
  app.post(
    "/sandboxes/:id/preview",
    {
      schema: {
        summary: "Create a preview of a port; responds 200 with the one that exists",
        params: idParamsSchema,
        body: createPreviewRequestSchema,
        response: { 200: previewRecordSchema, 201: previewRecordSchema },
      },
    },
    async (request, reply) => {
      const { orgId, params, body } = request;
      const { preview, isNew } = await previews.create(orgId, params.id, body, originOf(request));
      return reply.code(isNew ? 201 : 200).send(preview);
    },
  );

  app.get(
    "/sandboxes/:id/preview",
    {
      schema: {
        summary: "List the previews of a sandbox",
        params: idParamsSchema,
        response: { 200: previewRecordSchema.array() },
      },
    },
    async (request) => previews.list(request.orgId, request.params.id, originOf(request)),
  );

  app.delete(
    "/sandboxes/:id/preview/:port",
    {
      schema: {
        summary: "Delete the preview of a port",
        params: portParamsSchema,
        response: noContent,
      },
    },
    async (request, reply) => {
      const { id, port } = request.params;
      await previews.remove(request.orgId, id, port);
      return reply.code(204).send();
    },
  );

  app.post(
    "/sandboxes/:id/preview/rotate",
    {
      config: { returnsCredential: true },
      schema: {
        summary:
          "Replace the token of all previews of a sandbox; the old one stops working at once",
        params: idParamsSchema,
        response: { 200: rotatedPreviewAuthSchema },
      },
    },
    async (request) => previews.rotate(request.orgId, request.params.id),
  );

  app.post(
    "/sandboxes/:id/preview/:port/link",
    {
      schema: {
        summary:
          "Create a link that opens a preview in a browser; if the preview needs a token, it works once",
        params: portParamsSchema,
        response: { 200: previewLinkSchema },
      },
    },
    async (request) => {
      const { id, port } = request.params;
      return previews.link(request.orgId, id, port, originOf(request));
    },
  );
};
