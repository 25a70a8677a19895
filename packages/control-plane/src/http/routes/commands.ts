import {
  commandResultSchema,
  idempotencyKeyHeader,
  idempotentHeadersSchema,
  runCommandRequestSchema,
} from "@opencomputer/protocol";
import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import type { WorkerClient } from "../../worker/worker-client.ts";
import type { BeginOperation } from "../routed-operation.ts";

export interface CommandRoutes {
  worker: WorkerClient;
  beginOperation: BeginOperation;
}

export const commandRoutes: FastifyPluginAsyncZod<CommandRoutes> = async (app, deps) => {
  app.post(
    "/sandboxes/:id/exec/run",
    {
      config: { acceptsSandboxToken: true },
      schema: {
        summary: "Run a command and wait for its end",
        headers: idempotentHeadersSchema,
        params: z.object({ id: z.string() }),
        body: runCommandRequestSchema,
        response: { 200: commandResultSchema },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const { sandbox, signal } = await deps.beginOperation(request, reply, id);
      const cwd = request.body.cwd ?? sandbox.workingDirectory;
      const key = request.headers[idempotencyKeyHeader];
      return deps.worker.run(id, { ...request.body, cwd }, signal, key);
    },
  );
};
