import { directoryListingSchema, filePathQuerySchema } from "@opencomputer/protocol/api";
import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import type { SandboxOperations } from "../operate/sandbox-operations.ts";
import { createFileContent, takeAnyContent } from "../stream/file-content.ts";
import { noContent } from "./route-parts.ts";

const paramsSchema = z.object({ id: z.string() });

/** Files of a sandbox. */
export const fileRoutes: FastifyPluginAsyncZod<{ operations: SandboxOperations }> = async (
  app,
  { operations },
) => {
  const content = createFileContent(operations);
  const config = { acceptsSandboxToken: true };
  const schema = { params: paramsSchema, querystring: filePathQuerySchema };

  takeAnyContent(app);

  app.get(
    "/sandboxes/:id/files",
    {
      config: { ...config, fileContent: "response" as const },
      schema: { ...schema, summary: "Read a file" },
    },
    async (request, reply) =>
      content.send(request, reply, { id: request.params.id, path: request.query.path }),
  );

  app.put(
    "/sandboxes/:id/files",
    {
      config: { ...config, fileContent: "request" as const },
      schema: { ...schema, summary: "Write a file", response: noContent },
    },
    async (request, reply) =>
      content.receive(request, reply, { id: request.params.id, path: request.query.path }),
  );

  app.delete(
    "/sandboxes/:id/files",
    {
      config,
      schema: {
        ...schema,
        summary: "Delete a file, or a directory with its contents",
        response: noContent,
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const { worker } = await operations.begin(request, reply, id);
      await worker.deleteFile(id, request.query.path);
      return reply.code(204).send();
    },
  );

  app.get(
    "/sandboxes/:id/files/list",
    {
      config,
      schema: { ...schema, summary: "List a directory", response: { 200: directoryListingSchema } },
    },
    async (request, reply) => {
      const { id } = request.params;
      const { worker } = await operations.begin(request, reply, id);
      return worker.listDirectory(id, request.query.path);
    },
  );

  app.post(
    "/sandboxes/:id/files/mkdir",
    {
      config,
      schema: {
        ...schema,
        summary: "Create a directory and its missing parents",
        response: noContent,
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const { worker } = await operations.begin(request, reply, id);
      await worker.makeDirectory(id, request.query.path);
      return reply.code(204).send();
    },
  );
};
