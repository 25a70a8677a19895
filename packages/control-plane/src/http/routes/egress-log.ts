import {
  egressExplanationSchema,
  egressLogQuerySchema,
  egressPageSchema,
  egressSuggestionSchema,
  explainEgressQuerySchema,
  followEgressHeadersSchema,
} from "@opencomputer/protocol/api";
import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import type { EgressLogService } from "../../egress-log/egress-log-service.ts";
import { createStreamResponses, wantsEventStream } from "../respond/event-stream.ts";
import { idParamsSchema } from "./route-parts.ts";

/** What sandboxes exchanged with the network, and what they could. */
export const egressLogRoutes: FastifyPluginAsyncZod<{ egressLogs: EgressLogService }> = async (
  app,
  { egressLogs },
) => {
  const respondWithStream = createStreamResponses(app);

  app.get(
    "/sandboxes/:id/egress",
    {
      config: {
        eventStream: "each entry as JSON, with its cursor as the id, once it is stored",
      },
      schema: {
        summary: "List what a sandbox exchanged with the network, or follow it",
        params: idParamsSchema,
        querystring: egressLogQuerySchema,
        headers: followEgressHeadersSchema,
        response: { 200: egressPageSchema },
      },
    },
    async (request, reply) => {
      const { orgId, params, query, headers } = request;
      if (!wantsEventStream(request)) return egressLogs.list(orgId, params.id, query);
      const cursor = headers["last-event-id"] ?? query.cursor;
      return respondWithStream(reply, (signal) =>
        egressLogs.follow(orgId, params.id, { ...query, cursor }, signal),
      );
    },
  );

  app.get(
    "/sandboxes/:id/egress/explain",
    {
      schema: {
        summary: "Explain what would happen to a request of a sandbox, without sending it",
        params: idParamsSchema,
        querystring: explainEgressQuerySchema,
        response: { 200: egressExplanationSchema },
      },
    },
    async (request) => egressLogs.explain(request.orgId, request.params.id, request.query),
  );

  app.get(
    "/sandboxes/:id/egress/suggestion",
    {
      schema: {
        summary: "Suggest the smallest allowlist for what a sandbox did so far",
        params: idParamsSchema,
        response: { 200: egressSuggestionSchema },
      },
    },
    async (request) => egressLogs.suggest(request.orgId, request.params.id),
  );
};
