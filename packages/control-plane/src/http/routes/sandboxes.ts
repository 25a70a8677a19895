import {
  allowedHostsSchema,
  type CreateSandboxRequest,
  createdSandboxSchema,
  createSandboxRequestSchema,
  killSandboxQuerySchema,
  limits,
  sandboxDetailSchema,
  sandboxStatusSchema,
  sandboxSummarySchema,
  setTimeoutRequestSchema,
} from "@opencomputer/protocol";
import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import type { BuildLogListener } from "../../images/build-log.ts";
import type { OpenImage } from "../../images/open-image.ts";
import { hashPreviewToken, mintPreviewToken } from "../../previews/preview-token.ts";
import type { CreateSandbox } from "../../sandboxes/create-sandbox.ts";
import type { PlanCreate } from "../../sandboxes/plan-create.ts";
import type { ReadAllowedHosts } from "../../sandboxes/read-allowed-hosts.ts";
import type { SandboxAnswers } from "../../sandboxes/sandbox-answers.ts";
import type { SandboxRemoval } from "../../sandboxes/sandbox-removal.ts";
import type { SandboxRepository, SandboxRow } from "../../sandboxes/sandbox-repository.ts";
import { presentStates, statesByStatus } from "../../sandboxes/sandbox-states.ts";
import { clientGone } from "../client-gone.ts";
import { answerWithEvents, wantsEventStream } from "../event-stream.ts";
import { noContent } from "../no-content.ts";
import { findPresentSandbox, findSandbox } from "../routed-operation.ts";

export interface SandboxRoutes {
  sandboxes: SandboxRepository;
  openImage: OpenImage;
  planCreate: PlanCreate;
  createSandbox: CreateSandbox;
  readAllowedHosts: ReadAllowedHosts;
  removal: SandboxRemoval;
  deleteUnusedStore: (sandbox: SandboxRow) => Promise<void>;
  answers: SandboxAnswers;
}

const paramsSchema = z.object({ id: z.string() });

export const sandboxRoutes: FastifyPluginAsyncZod<SandboxRoutes> = async (app, deps) => {
  const { sandboxes, openImage, planCreate, createSandbox, readAllowedHosts, removal, answers } =
    deps;

  app.post(
    "/sandboxes",
    {
      bodyLimit: limits.manifestBytesMax,
      config: { eventStream: true },
      schema: {
        summary: "Create a sandbox; answers when it takes commands",
        body: createSandboxRequestSchema,
        response: { 201: createdSandboxSchema },
      },
    },
    async (request, reply) => {
      const { orgId, apiKeyId, body } = request;
      const previewAuth = openPreviewAuth(body.previewAuth);
      const signal = clientGone(reply);
      const create = async (onLog: BuildLogListener) => {
        const planOn = await planCreate(orgId, body);
        const image = await openImage(orgId, body, { onLog, signal });
        const drawPlan = planOn(image);
        const row = await createSandbox(
          { orgId, apiKeyId },
          async (transaction) => ({ ...(await drawPlan(transaction)), ...previewAuth.plan }),
          signal,
        );
        return { ...answers.created(row), ...previewAuth.shown };
      };
      if ((body.image || body.snapshot) && wantsEventStream(request)) {
        return answerWithEvents(reply, create);
      }
      return reply.code(201).send(await create(() => undefined));
    },
  );

  app.get(
    "/sandboxes",
    {
      schema: {
        summary: "List sandboxes, running and hibernated, the newest first",
        querystring: z.object({
          status: z.union([z.literal(""), sandboxStatusSchema]).optional(),
        }),
        response: { 200: z.array(sandboxSummarySchema) },
      },
    },
    async (request) => {
      const { status } = request.query;
      const states = status ? statesByStatus[status] : presentStates;
      const rows = await sandboxes.list(request.orgId, states);
      return rows.map((row) => answers.summary(row));
    },
  );

  app.get(
    "/sandboxes/:id",
    {
      schema: {
        summary: "Get a sandbox",
        params: paramsSchema,
        response: { 200: sandboxDetailSchema },
      },
    },
    async (request) =>
      answers.detail(await findSandbox(sandboxes, request.orgId, request.params.id)),
  );

  app.delete(
    "/sandboxes/:id",
    {
      schema: {
        summary: "Kill a sandbox, and on request delete its secret store",
        response: noContent,
        params: paramsSchema,
        querystring: killSandboxQuerySchema,
      },
    },
    async (request, reply) => {
      const sandbox = await findSandbox(sandboxes, request.orgId, request.params.id);
      // First, because it is refused while something else uses the store.
      if (request.query.deleteSecretStore === "true") await deps.deleteUnusedStore(sandbox);
      await removal.kill(request.orgId, sandbox.id, "killed by its owner");
      return reply.code(204).send();
    },
  );

  app.post(
    "/sandboxes/:id/timeout",
    {
      schema: {
        summary: "Set the idle time-out",
        response: noContent,
        params: paramsSchema,
        body: setTimeoutRequestSchema,
      },
    },
    async (request, reply) => {
      const { orgId } = request;
      const { id } = await findPresentSandbox(sandboxes, orgId, request.params.id);
      await sandboxes.change(orgId, id, presentStates, {
        idleTimeoutSeconds: request.body.timeout,
        lastActiveAt: new Date(),
      });
      return reply.code(204).send();
    },
  );

  app.get(
    "/sandboxes/:id/allowed-hosts",
    {
      schema: {
        summary: "Tell which hosts the secrets proxy allows a sandbox",
        params: paramsSchema,
        response: { 200: allowedHostsSchema },
      },
    },
    async (request) =>
      readAllowedHosts(await findPresentSandbox(sandboxes, request.orgId, request.params.id)),
  );
};

/** The token of previews: its hash for the row, and the token for the one response that shows it. */
function openPreviewAuth(previewAuth: CreateSandboxRequest["previewAuth"]) {
  if (!previewAuth) return { plan: {}, shown: {} };
  const token = previewAuth.token === "auto" ? mintPreviewToken() : previewAuth.token;
  return {
    plan: { previewTokenHash: hashPreviewToken(token) },
    shown: { previewAuthToken: token },
  };
}
