import { sandboxIdSchema } from "@opencomputer/protocol/api";
import {
  workerAutoscaleRequestSchema,
  workerSandboxSchema,
  workerScaleRequestSchema,
  workerScalingLockRequestSchema,
} from "@opencomputer/protocol/wire";
import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { z } from "zod";
import type { Worker } from "../start/create-worker.ts";

/** The size of sandboxes. Each route responds with the sandbox. */
export async function scalingRoutes(
  server: FastifyInstance,
  { worker }: { worker: Pick<Worker, "sandboxes"> },
): Promise<void> {
  const { sandboxes } = worker;
  const app = server.withTypeProvider<ZodTypeProvider>();
  const params = z.object({ sandboxId: sandboxIdSchema });
  const response = { 200: workerSandboxSchema };

  app.post(
    "/v1/sandboxes/:sandboxId/scale",
    { schema: { params, body: workerScaleRequestSchema, response } },
    ({ params: { sandboxId }, body }) => sandboxes.scale(sandboxId, body, "owner"),
  );

  app.put(
    "/v1/sandboxes/:sandboxId/autoscale",
    { schema: { params, body: workerAutoscaleRequestSchema, response } },
    ({ params: { sandboxId }, body }) => sandboxes.setAutoscale(sandboxId, body),
  );

  app.put(
    "/v1/sandboxes/:sandboxId/scaling-lock",
    { schema: { params, body: workerScalingLockRequestSchema, response } },
    ({ params: { sandboxId }, body }) => sandboxes.setScalingLock(sandboxId, body.locked),
  );
}
