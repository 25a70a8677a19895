import { Readable } from "node:stream";
import { abortWhenClosed } from "@opencomputer/process";
import {
  directoryListingSchema,
  filePathQuerySchema,
  sandboxIdSchema,
  WireError,
} from "@opencomputer/protocol/api";
import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { z } from "zod";
import type { Worker } from "../start/create-worker.ts";

const paramsSchema = z.object({ sandboxId: sandboxIdSchema });
const request = { params: paramsSchema, querystring: filePathQuerySchema };

/** Files of a sandbox, streamed in both directions: no file is held in memory. */
export async function fileRoutes(
  server: FastifyInstance,
  { worker }: { worker: Pick<Worker, "sandboxes"> },
): Promise<void> {
  const { sandboxes } = worker;
  const app = server.withTypeProvider<ZodTypeProvider>();
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", (_request, payload, done) => done(null, payload));

  app.get("/v1/sandboxes/:sandboxId/files", { schema: request }, async (call, reply) => {
    const agent = sandboxes.agentOf(call.params.sandboxId);
    const file = await agent.readFile(call.query.path, abortWhenClosed(reply.raw));
    reply.header("content-type", "application/octet-stream");
    if (file.sizeBytes !== undefined) reply.header("content-length", file.sizeBytes);
    return reply.send(file.content);
  });

  app.put(
    "/v1/sandboxes/:sandboxId/files",
    { schema: request, bodyLimit: Number.MAX_SAFE_INTEGER },
    async (call, reply) => {
      const agent = sandboxes.agentOf(call.params.sandboxId);
      const content = call.body ?? Readable.from([]);
      if (!(content instanceof Readable)) {
        throw new WireError("invalid_request", "The body must be the bytes of the file");
      }
      await agent.writeFile(call.query.path, content, abortWhenClosed(reply.raw));
      return reply.status(204).send();
    },
  );

  app.delete("/v1/sandboxes/:sandboxId/files", { schema: request }, async (call, reply) => {
    await sandboxes.agentOf(call.params.sandboxId).removeFile(call.query.path);
    return reply.status(204).send();
  });

  app.get(
    "/v1/sandboxes/:sandboxId/files/list",
    { schema: { ...request, response: { 200: directoryListingSchema } } },
    (call) => sandboxes.agentOf(call.params.sandboxId).listDirectory(call.query.path),
  );

  app.post("/v1/sandboxes/:sandboxId/files/mkdir", { schema: request }, async (call, reply) => {
    await sandboxes.agentOf(call.params.sandboxId).makeDirectory(call.query.path);
    return reply.status(204).send();
  });
}
