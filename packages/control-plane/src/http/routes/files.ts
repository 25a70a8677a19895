import { directoryListingSchema, filePathQuerySchema } from "@opencomputer/protocol";
import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import type { WorkerClient } from "../../worker/worker-client.ts";
import { createFileContent, takeAnyContent } from "../file-content.ts";
import type { BeginOperation } from "../routed-operation.ts";

export interface FileRoutes {
  worker: WorkerClient;
  beginOperation: BeginOperation;
}

const paramsSchema = z.object({ id: z.string() });

/** Files of a sandbox. */
export const fileRoutes: FastifyPluginAsyncZod<FileRoutes> = async (app, deps) => {
  const { worker, beginOperation } = deps;
  const content = createFileContent(deps);
  const route = {
    config: { acceptsSandboxToken: true },
    schema: { params: paramsSchema, querystring: filePathQuerySchema },
  };

  takeAnyContent(app);

  app.get("/sandboxes/:id/files", route, async (request, reply) =>
    content.send(request, reply, { id: request.params.id, path: request.query.path }),
  );

  app.put("/sandboxes/:id/files", route, async (request, reply) =>
    content.receive(request, reply, { id: request.params.id, path: request.query.path }),
  );

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
