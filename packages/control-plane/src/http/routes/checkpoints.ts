import { abortWhenClosed } from "@opencomputer/process";
import {
  checkpointRecordSchema,
  createCheckpointRequestSchema,
  createdSandboxSchema,
  forkRequestSchema,
  restoredCheckpointSchema,
} from "@opencomputer/protocol/api";
import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import type { CheckpointService } from "../../checkpoints/checkpoint-service.ts";
import type { SandboxOperations } from "../operate/sandbox-operations.ts";

import { idParamsSchema, noContent } from "./route-parts.ts";

export interface CheckpointRoutes {
  checkpoints: CheckpointService;
  operations: SandboxOperations;
}

const checkpointParamsSchema = idParamsSchema.extend({ cid: z.string() });

/** Checkpoints of a sandbox, and sandboxes made from them. */
export const checkpointRoutes: FastifyPluginAsyncZod<CheckpointRoutes> = async (app, deps) => {
  const { checkpoints, operations } = deps;

  app.post(
    "/sandboxes/:id/checkpoints",
    {
      schema: {
        summary: "Create a checkpoint of a sandbox, as it is at a moment before the response",
        params: idParamsSchema,
        body: createCheckpointRequestSchema,
        response: { 201: checkpointRecordSchema },
      },
    },
    async (request, reply) => {
      const { sandbox } = await operations.begin(request, reply, request.params.id);
      return reply.code(201).send(await checkpoints.make(sandbox, request.body));
    },
  );

  app.get(
    "/sandboxes/:id/checkpoints",
    {
      schema: {
        summary: "List the checkpoints of a sandbox, oldest first, even after it was killed",
        params: idParamsSchema,
        response: { 200: z.array(checkpointRecordSchema) },
      },
    },
    async (request) => checkpoints.list(request.orgId, request.params.id),
  );

  app.post(
    "/sandboxes/:id/checkpoints/:cid/restore",
    {
      schema: {
        summary: "Restore a sandbox to one of its checkpoints, once that is ready",
        params: checkpointParamsSchema,
        response: { 200: restoredCheckpointSchema },
      },
    },
    async (request, reply) =>
      checkpoints.restore(request.orgId, named(request.params), abortWhenClosed(reply.raw)),
  );

  app.delete(
    "/sandboxes/:id/checkpoints/:cid",
    {
      schema: {
        summary: "Delete a checkpoint; its forks are not affected",
        params: checkpointParamsSchema,
        response: noContent,
      },
    },
    async (request, reply) => {
      await checkpoints.delete(request.orgId, named(request.params));
      return reply.code(204).send();
    },
  );

  app.post(
    "/sandboxes/from-checkpoint/:cid",
    {
      schema: {
        summary: "Create a sandbox from a checkpoint; responds when its patches have run",
        params: z.object({ cid: z.string() }),
        body: forkRequestSchema,
        response: { 201: createdSandboxSchema },
      },
    },
    async (request, reply) => {
      const { params, body } = request;
      const signal = abortWhenClosed(reply.raw);
      return reply.code(201).send(await checkpoints.fork(request, params.cid, body, signal));
    },
  );
};

const named = ({ id, cid }: { id: string; cid: string }) => ({ sandboxId: id, checkpointId: cid });
