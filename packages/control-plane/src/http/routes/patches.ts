import {
  createdPatchSchema,
  createPatchRequestSchema,
  patchRecordSchema,
} from "@opencomputer/protocol";
import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import { checkpointNotFound } from "../../checkpoints/checkpoint-record.ts";
import type { CheckpointRepository } from "../../checkpoints/checkpoint-repository.ts";
import type { PatchRepository } from "../../checkpoints/patch-repository.ts";
import { noContent } from "../no-content.ts";

export interface PatchRoutes {
  checkpoints: CheckpointRepository;
  patches: PatchRepository;
}

const paramsSchema = z.object({ cid: z.string() });

/** Scripts that every fork of a checkpoint runs. */
export const patchRoutes: FastifyPluginAsyncZod<PatchRoutes> = async (app, deps) => {
  const { checkpoints, patches } = deps;

  async function findId(orgId: string, checkpointId: string): Promise<string> {
    const checkpoint = await checkpoints.find(orgId, checkpointId);
    if (checkpoint === undefined) throw checkpointNotFound(checkpointId);
    return checkpoint.id;
  }

  app.post(
    "/sandboxes/checkpoints/:cid/patches",
    {
      schema: {
        summary: "Add a script that every later fork of a checkpoint runs, after the others",
        params: paramsSchema,
        body: createPatchRequestSchema,
        response: { 201: createdPatchSchema },
      },
    },
    async (request, reply) => {
      const { orgId, body } = request;
      const patch = await patches.create(orgId, await findId(orgId, request.params.cid), body);
      return reply.code(201).send({ patch });
    },
  );

  app.get(
    "/sandboxes/checkpoints/:cid/patches",
    {
      schema: {
        summary: "List the patches of a checkpoint in their order",
        params: paramsSchema,
        response: { 200: z.array(patchRecordSchema) },
      },
    },
    async (request) => {
      const { orgId } = request;
      return patches.list(orgId, await findId(orgId, request.params.cid));
    },
  );

  app.delete(
    "/sandboxes/checkpoints/:cid/patches/:pid",
    {
      schema: {
        summary: "Delete a patch; forks that ran it stay as they are",
        params: paramsSchema.extend({ pid: z.string() }),
        response: noContent,
      },
    },
    async (request, reply) => {
      const { orgId, params } = request;
      await patches.delete(orgId, await findId(orgId, params.cid), params.pid);
      return reply.code(204).send();
    },
  );
};
