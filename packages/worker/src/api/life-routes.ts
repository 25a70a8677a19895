import { sandboxIdSchema, uuidSchema } from "@opencomputer/protocol/api";
import {
  hibernatedSandboxSchema,
  makeCheckpointRequestSchema,
  rebootSandboxRequestSchema,
  restoreSandboxRequestSchema,
  wakeSandboxRequestSchema,
  workerCheckpointListSchema,
  workerCheckpointSchema,
  workerSandboxSchema,
} from "@opencomputer/protocol/wire";
import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { z } from "zod";
import { describeCheckpoint } from "../saved-machines/saved-manifest.ts";
import type { Worker } from "../start/create-worker.ts";

const sandboxParamsSchema = z.object({ sandboxId: sandboxIdSchema });
const checkpointParamsSchema = z.object({ checkpointId: uuidSchema });

/** Hibernation, checkpoints, and restoring a sandbox from either. */
export async function lifeRoutes(
  server: FastifyInstance,
  { worker }: { worker: Pick<Worker, "sandboxes" | "checkpoints"> },
): Promise<void> {
  const { sandboxes, checkpoints } = worker;
  const app = server.withTypeProvider<ZodTypeProvider>();

  app.post(
    "/v1/sandboxes/:sandboxId/hibernate",
    { schema: { params: sandboxParamsSchema, response: { 200: hibernatedSandboxSchema } } },
    (request) => sandboxes.hibernate(request.params.sandboxId),
  );

  app.post(
    "/v1/sandboxes/:sandboxId/wake",
    {
      schema: {
        params: sandboxParamsSchema,
        body: wakeSandboxRequestSchema,
        response: { 200: workerSandboxSchema },
      },
    },
    (request) => sandboxes.wake(request.params.sandboxId, request.body),
  );

  app.post(
    "/v1/sandboxes/:sandboxId/restore",
    {
      schema: {
        params: sandboxParamsSchema,
        body: restoreSandboxRequestSchema,
        response: { 200: workerSandboxSchema },
      },
    },
    (request) => sandboxes.restore(request.params.sandboxId, request.body),
  );

  app.post(
    "/v1/sandboxes/:sandboxId/reboot",
    {
      schema: {
        params: sandboxParamsSchema,
        body: rebootSandboxRequestSchema,
        response: { 200: workerSandboxSchema },
      },
    },
    (request) => sandboxes.reboot(request.params.sandboxId, request.body),
  );

  app.put(
    "/v1/checkpoints/:checkpointId",
    {
      schema: {
        params: checkpointParamsSchema,
        body: makeCheckpointRequestSchema,
        response: { 200: workerCheckpointSchema },
      },
    },
    (request) => sandboxes.makeCheckpoint(request.params.checkpointId, request.body),
  );

  app.get("/v1/checkpoints", { schema: { response: { 200: workerCheckpointListSchema } } }, () =>
    checkpoints.list().map(describeCheckpoint),
  );

  app.delete(
    "/v1/checkpoints/:checkpointId",
    { schema: { params: checkpointParamsSchema } },
    async (request, reply) => {
      await sandboxes.removeCheckpoint(request.params.checkpointId);
      return reply.status(204).send();
    },
  );
}
