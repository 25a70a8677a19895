import {
  checkpointRecordSchema,
  createCheckpointRequestSchema,
  createdSandboxSchema,
  forkRequestSchema,
  restoredCheckpointSchema,
} from "@opencomputer/protocol";
import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import { awaitCheckpoint } from "../../checkpoints/await-checkpoint.ts";
import { checkpointNotFound, toCheckpointRecord } from "../../checkpoints/checkpoint-record.ts";
import type { CheckpointRepository } from "../../checkpoints/checkpoint-repository.ts";
import type { ForkCheckpoint } from "../../checkpoints/fork-checkpoint.ts";
import type { CheckpointMaker } from "../../checkpoints/make-checkpoint.ts";
import type { RemoveCheckpoint } from "../../checkpoints/remove-checkpoint.ts";
import { type RestoreDeps, restoreCheckpoint } from "../../checkpoints/restore-checkpoint.ts";
import type { SandboxAnswers } from "../../sandboxes/sandbox-answers.ts";
import type { SandboxRepository } from "../../sandboxes/sandbox-repository.ts";
import { clientGone } from "../client-gone.ts";
import { noContent } from "../no-content.ts";
import { type BeginOperation, findPresentSandbox, findSandbox } from "../routed-operation.ts";

export interface CheckpointRoutes {
  sandboxes: SandboxRepository;
  checkpoints: CheckpointRepository;
  checkpointMaker: CheckpointMaker;
  restore: RestoreDeps;
  removeCheckpoint: RemoveCheckpoint;
  forkCheckpoint: ForkCheckpoint;
  beginOperation: BeginOperation;
  answers: SandboxAnswers;
}

const sandboxParamsSchema = z.object({ id: z.string() });
const checkpointParamsSchema = z.object({ id: z.string(), cid: z.string() });

/** Checkpoints of a sandbox, and sandboxes made from them. */
export const checkpointRoutes: FastifyPluginAsyncZod<CheckpointRoutes> = async (app, deps) => {
  const { sandboxes, checkpoints } = deps;

  /** @throws {WireError} `checkpoint_not_found`, also when it is another sandbox's. */
  async function findOf(orgId: string, { id, cid }: { id: string; cid: string }) {
    const checkpoint = await checkpoints.find(orgId, cid);
    if (checkpoint?.sandboxId === id) return checkpoint;
    throw checkpointNotFound(cid);
  }

  app.post(
    "/sandboxes/:id/checkpoints",
    {
      schema: {
        summary: "Make a checkpoint of a sandbox, as it is at a moment before the response",
        params: sandboxParamsSchema,
        body: createCheckpointRequestSchema,
        response: { 201: checkpointRecordSchema },
      },
    },
    async (request, reply) => {
      const { sandbox } = await deps.beginOperation(request, reply, request.params.id);
      const row = await deps.checkpointMaker.make(sandbox, request.body);
      return reply.code(201).send(toCheckpointRecord(row));
    },
  );

  app.get(
    "/sandboxes/:id/checkpoints",
    {
      schema: {
        summary: "List the checkpoints of a sandbox, the oldest first; also after it was killed",
        params: sandboxParamsSchema,
        response: { 200: z.array(checkpointRecordSchema) },
      },
    },
    async (request) => {
      const { orgId } = request;
      const rows = await checkpoints.list(orgId, request.params.id);
      if (rows.length === 0) await findSandbox(sandboxes, orgId, request.params.id);
      return rows.map(toCheckpointRecord);
    },
  );

  app.post(
    "/sandboxes/:id/checkpoints/:cid/restore",
    {
      schema: {
        summary: "Put a sandbox back to one of its checkpoints, once that is ready",
        params: checkpointParamsSchema,
        response: { 200: restoredCheckpointSchema },
      },
    },
    async (request, reply) => {
      const { orgId, params } = request;
      await findPresentSandbox(sandboxes, orgId, params.id);
      const { id } = await findOf(orgId, params);
      const checkpoint = await awaitCheckpoint(checkpoints, orgId, id, clientGone(reply));
      const sandbox = await findPresentSandbox(sandboxes, orgId, params.id);
      await restoreCheckpoint(deps.restore, sandbox, checkpoint);
      return { sandboxId: sandbox.id, checkpointId: id, status: "restoring" as const };
    },
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
      const { id } = await findOf(request.orgId, request.params);
      await checkpoints.delete(request.orgId, id);
      await deps.removeCheckpoint(id);
      return reply.code(204).send();
    },
  );

  app.post(
    "/sandboxes/from-checkpoint/:cid",
    {
      schema: {
        summary: "Make a sandbox from a checkpoint; answers when its patches have run",
        params: z.object({ cid: z.string() }),
        body: forkRequestSchema,
        response: { 201: createdSandboxSchema },
      },
    },
    async (request, reply) => {
      const { params, body } = request;
      const row = await deps.forkCheckpoint(request, params.cid, body, clientGone(reply));
      return reply.code(201).send(deps.answers.created(row));
    },
  );
};
