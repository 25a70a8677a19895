import {
  commandResultSchema,
  idempotencyKeyHeader,
  idempotentHeadersSchema,
  runCommandRequestSchema,
} from "@opencomputer/protocol/api";
import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import type { SandboxOperations } from "../operate/sandbox-operations.ts";

export const commandRoutes: FastifyPluginAsyncZod<{ operations: SandboxOperations }> = async (
  app,
  { operations },
) => {
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
      const { sandbox, worker, signal } = await operations.begin(request, reply, id);
      const cwd = request.body.cwd || sandbox.workingDirectory;
      const key = request.headers[idempotencyKeyHeader];
      return worker.run(id, { ...request.body, cwd }, signal, key);
    },
  );
};
