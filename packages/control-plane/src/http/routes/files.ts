import { Readable } from "node:stream";
import { directoryListingSchema, filePathQuerySchema, WireError } from "@opencomputer/protocol";
import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import type { WorkerClient } from "../../worker/worker-client.ts";
import type { BeginOperation } from "../routed-operation.ts";

export interface FileRoutes {
  worker: WorkerClient;
  beginOperation: BeginOperation;
}

const paramsSchema = z.object({ id: z.string() });

/** Files of a sandbox: octets pass through as they come, and neither end waits in memory for the other. */
export const fileRoutes: FastifyPluginAsyncZod<FileRoutes> = async (app, deps) => {
  const { worker, beginOperation } = deps;
  const route = {
    config: { acceptsSandboxToken: true },
    schema: { params: paramsSchema, querystring: filePathQuerySchema },
  };

  // A body of any type and any size is the content of a file.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", (_request, payload, done) => done(null, payload));

  app.get("/sandboxes/:id/files", route, async (request, reply) => {
    const { id } = request.params;
    const signal = await beginOperation(request, reply, id);
    const file = await worker.readFile(id, request.query.path, signal);
    const length = file.headers["content-length"];
    if (typeof length === "string") reply.header("content-length", length);
    return reply.type("application/octet-stream").send(file.body);
  });

  app.put("/sandboxes/:id/files", route, async (request, reply) => {
    const { id } = request.params;
    const signal = await beginOperation(request, reply, id);
    const length = request.headers["content-length"];
    const content = { body: contentOf(request.body), length };
    await worker.writeFile(id, request.query.path, content, signal);
    return reply.code(204).send();
  });

  app.delete("/sandboxes/:id/files", route, async (request, reply) => {
    const { id } = request.params;
    await beginOperation(request, reply, id);
    await worker.deleteFile(id, request.query.path);
    return reply.code(204).send();
  });

  app.get(
    "/sandboxes/:id/files/list",
    { ...route, schema: { ...route.schema, response: { 200: directoryListingSchema } } },
    async (request, reply) => {
      const { id } = request.params;
      await beginOperation(request, reply, id);
      return worker.listDirectory(id, request.query.path);
    },
  );

  app.post("/sandboxes/:id/files/mkdir", route, async (request, reply) => {
    const { id } = request.params;
    await beginOperation(request, reply, id);
    await worker.makeDirectory(id, request.query.path);
    return reply.code(204).send();
  });
};

/** A request without a body writes an empty file. */
function contentOf(body: unknown): Readable {
  if (body === undefined || body === null) return Readable.from([]);
  if (body instanceof Readable) return body;
  throw new WireError("invalid_request", "The body must be the content of the file");
}
