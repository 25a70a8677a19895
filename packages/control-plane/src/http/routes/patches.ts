import {
  createdPatchSchema,
  createPatchRequestSchema,
  patchRecordSchema,
} from "@opencomputer/protocol/api";
import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import type { PatchService } from "../../patches/patch-service.ts";
import { noContent } from "./route-parts.ts";

const paramsSchema = z.object({ cid: z.string() });

/** Scripts that every fork of a checkpoint runs. */
export const patchRoutes: FastifyPluginAsyncZod<{ patches: PatchService }> = async (
  app,
  { patches },
) => {
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
      const patch = await patches.create(orgId, request.params.cid, body);
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
    async (request) => patches.list(request.orgId, request.params.cid),
  );

  app.delete(
    "/sandboxes/checkpoints/:cid/patches/:pid",
    {
      schema: {
        summary: "Delete a patch; forks that ran it do not change",
        params: paramsSchema.extend({ pid: z.string() }),
        response: noContent,
      },
    },
    async (request, reply) => {
      const { orgId, params } = request;
      await patches.delete(orgId, params.cid, params.pid);
      return reply.code(204).send();
    },
  );
};
