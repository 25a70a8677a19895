import {
  createPreviewRequestSchema,
  previewLinkSchema,
  previewPortSchema,
  previewRecordSchema,
  rotatedPreviewAuthSchema,
  WireError,
} from "@opencomputer/protocol";
import type { FastifyRequest } from "fastify";
import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import type { ApiOrigin, PreviewService } from "../../previews/preview-service.ts";
import type { SandboxRepository } from "../../sandboxes/sandbox-repository.ts";
import { noContent } from "../no-content.ts";
import { findPresentSandbox } from "../routed-operation.ts";

export interface PreviewRoutes {
  sandboxes: SandboxRepository;
  previewService: PreviewService;
}

const paramsSchema = z.object({ id: z.string() });
const portParamsSchema = paramsSchema.extend({
  port: z.coerce.number().pipe(previewPortSchema),
});

/** Previews of a sandbox: who may reach which of its ports from outside. None of these wakes it. */
export const previewRoutes: FastifyPluginAsyncZod<PreviewRoutes> = async (app, deps) => {
  const { sandboxes, previewService } = deps;
  const find = (request: FastifyRequest, id: string) =>
    findPresentSandbox(sandboxes, request.orgId, id);

  app.post(
    "/sandboxes/:id/preview",
    {
      schema: {
        summary: "Create a preview of a port; responds 200 with the one that exists",
        params: paramsSchema,
        body: createPreviewRequestSchema,
        response: { 200: previewRecordSchema, 201: previewRecordSchema },
      },
    },
    async (request, reply) => {
      const sandbox = await find(request, request.params.id);
      const origin = originOf(request);
      const { preview, isNew } = await previewService.create(sandbox, request.body, origin);
      return reply.code(isNew ? 201 : 200).send(preview);
    },
  );

  app.get(
    "/sandboxes/:id/preview",
    {
      schema: {
        summary: "List the previews of a sandbox",
        params: paramsSchema,
        response: { 200: previewRecordSchema.array() },
      },
    },
    async (request) =>
      previewService.list(await find(request, request.params.id), originOf(request)),
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
      await previewService.remove(await find(request, id), port);
      return reply.code(204).send();
    },
  );

  app.post(
    "/sandboxes/:id/preview/rotate",
    {
      schema: {
        summary: "Give all previews of a sandbox a new token; the old one ends at once",
        params: paramsSchema,
        response: { 200: rotatedPreviewAuthSchema },
      },
    },
    async (request) => previewService.rotate(await find(request, request.params.id)),
  );

  app.post(
    "/sandboxes/:id/preview/:port/link",
    {
      schema: {
        summary: "Make a link that opens a preview in a browser, once where it needs a token",
        params: portParamsSchema,
        response: { 200: previewLinkSchema },
      },
    },
    async (request) => {
      const { id, port } = request.params;
      return previewService.link(await find(request, id), port, originOf(request));
    },
  );
};

/** Where the caller has reached the API. @throws {WireError} `invalid_request` */
function originOf(request: FastifyRequest): ApiOrigin {
  const { protocol, host, hostname } = request;
  if (URL.canParse(`${protocol}://${host}`)) return { protocol, host, hostname };
  throw new WireError(
    "invalid_request",
    "Host: expected the name or address under which the API was reached",
  );
}
