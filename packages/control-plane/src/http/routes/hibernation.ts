import {
  hibernatedSandboxAnswerSchema,
  wakeSandboxBodySchema,
  wokenSandboxSchema,
} from "@opencomputer/protocol";
import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import type { SandboxActivity } from "../../sandboxes/sandbox-activity.ts";
import type { SandboxAnswers } from "../../sandboxes/sandbox-answers.ts";
import type { SandboxLifecycle } from "../../sandboxes/sandbox-lifecycle.ts";
import type { SandboxRepository } from "../../sandboxes/sandbox-repository.ts";
import { presentStates } from "../../sandboxes/sandbox-states.ts";
import { findPresentSandbox } from "../routed-operation.ts";

export interface HibernationRoutes {
  sandboxes: SandboxRepository;
  activity: SandboxActivity;
  lifecycle: SandboxLifecycle;
  answers: SandboxAnswers;
}

const paramsSchema = z.object({ id: z.string() });

export const hibernationRoutes: FastifyPluginAsyncZod<HibernationRoutes> = async (app, deps) => {
  const { sandboxes, activity, lifecycle, answers } = deps;

  app.post(
    "/sandboxes/:id/hibernate",
    {
      schema: {
        summary: "Hibernate a sandbox: it keeps memory and disk and takes nothing else",
        params: paramsSchema,
        response: { 200: hibernatedSandboxAnswerSchema },
      },
    },
    async (request) => {
      const { orgId } = request;
      const { id } = await findPresentSandbox(sandboxes, orgId, request.params.id);
      const { sizeBytes } = await lifecycle.hibernate(orgId, id);
      return { sandboxID: id, status: "hibernated" as const, sizeBytes };
    },
  );

  app.post(
    "/sandboxes/:id/wake",
    {
      schema: {
        summary: "Wake a hibernated sandbox; one that runs answers the same",
        params: paramsSchema,
        body: wakeSandboxBodySchema,
        response: { 200: wokenSandboxSchema },
      },
    },
    async (request) => {
      const { orgId } = request;
      const { id } = await findPresentSandbox(sandboxes, orgId, request.params.id);
      const end = activity.begin(id);
      try {
        const row = await lifecycle.ensureRunning(orgId, id);
        const { timeout } = request.body;
        if (timeout !== undefined && timeout !== null) {
          await sandboxes.change(orgId, id, presentStates, { idleTimeoutSeconds: timeout });
        }
        return answers.woken(row);
      } finally {
        end();
      }
    },
  );
};
