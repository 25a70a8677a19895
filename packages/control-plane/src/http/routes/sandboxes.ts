import { abortWhenClosed } from "@opencomputer/process";
import {
  allowedHostsSchema,
  createdSandboxSchema,
  createSandboxRequestSchema,
  killSandboxQuerySchema,
  limits,
  sandboxDetailSchema,
  sandboxStatusSchema,
  sandboxSummarySchema,
  setTimeoutRequestSchema,
} from "@opencomputer/protocol/api";
import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import type { BuildLogListener } from "../../images/build-log.ts";
import type { SandboxService } from "../../sandboxes/service/sandbox-service.ts";
import { respondWithEvents, wantsEventStream } from "../respond/event-stream.ts";
import { withoutCredentials } from "../respond/without-credentials.ts";
import { buildStreamText, idParamsSchema, noContent } from "./route-parts.ts";

export const sandboxRoutes: FastifyPluginAsyncZod<{ sandboxes: SandboxService }> = async (
  app,
  { sandboxes },
) => {
  app.post(
    "/sandboxes",
    {
      bodyLimit: limits.manifestBytesMax,
      config: { eventStream: buildStreamText },
      schema: {
        summary: "Create a sandbox; responds when it accepts commands",
        body: createSandboxRequestSchema,
        response: { 201: createdSandboxSchema },
      },
    },
    async (request, reply) => {
      const { orgId, apiKeyId, body } = request;
      const signal = abortWhenClosed(reply.raw);
      const create = async (onLog: BuildLogListener) => {
        const created = await sandboxes.create({ orgId, apiKeyId }, body, { onLog, signal });
        return request.dashboardSession === null ? created : withoutCredentials(created);
      };
      if ((body.image || body.snapshot) && wantsEventStream(request)) {
        return respondWithEvents(reply, create);
      }
      return reply.code(201).send(await create(() => undefined));
    },
  );

  app.get(
    "/sandboxes",
    {
      schema: {
        summary: "List sandboxes, running and hibernated, newest first",
        querystring: z.object({
          status: z.union([z.literal(""), sandboxStatusSchema]).optional(),
        }),
        response: { 200: z.array(sandboxSummarySchema) },
      },
    },
    async (request) => sandboxes.list(request.orgId, request.query.status || undefined),
  );

  app.get(
    "/sandboxes/:id",
    {
      schema: {
        summary: "Get a sandbox",
        params: idParamsSchema,
        response: { 200: sandboxDetailSchema },
      },
    },
    async (request) => sandboxes.get(request.orgId, request.params.id),
  );

  app.delete(
    "/sandboxes/:id",
    {
      schema: {
        summary: "Kill a sandbox, and on request delete its secret store",
        response: noContent,
        params: idParamsSchema,
        querystring: killSandboxQuerySchema,
      },
    },
    async (request, reply) => {
      await sandboxes.kill(request.orgId, request.params.id, {
        deletesSecretStore: request.query.deleteSecretStore === "true",
      });
      return reply.code(204).send();
    },
  );

  app.post(
    "/sandboxes/:id/timeout",
    {
      schema: {
        summary: "Set the idle time-out",
        response: noContent,
        params: idParamsSchema,
        body: setTimeoutRequestSchema,
      },
    },
    async (request, reply) => {
      await sandboxes.setIdleTimeout(request.orgId, request.params.id, request.body.timeout);
      return reply.code(204).send();
    },
  );

  app.get(
    "/sandboxes/:id/allowed-hosts",
    {
      schema: {
        summary: "Get the hosts that the egress proxy allows a sandbox",
        params: idParamsSchema,
        response: { 200: allowedHostsSchema },
      },
    },
    async (request) => sandboxes.allowedHosts(request.orgId, request.params.id),
  );
};
