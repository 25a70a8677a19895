import {
  dashboardSessionSchema,
  openDashboardSessionRequestSchema,
  WireError,
} from "@opencomputer/protocol/api";
import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import type { ApiKeyRepository } from "../../orgs/api-key-repository.ts";
import type { DashboardSessions } from "../admit/dashboard-sessions.ts";
import { noContent } from "./route-parts.ts";

/**
 * How a browser gets and gives back the cookie that stands for an API key.
 * Only the dashboard calls these: they are no part of the API.
 */
export const dashboardSessionRoutes: FastifyPluginAsyncZod<{
  sessions: DashboardSessions;
  findKey: ApiKeyRepository["find"];
}> = async (app, { sessions, findKey }) => {
  app.addHook("onRequest", async (request, reply) => {
    sessions.assertOwnPage(request);
    reply.header("cache-control", "no-store");
  });

  app.post(
    "/dashboard/session",
    {
      schema: {
        hide: true,
        body: openDashboardSessionRequestSchema,
        response: { 200: dashboardSessionSchema },
      },
    },
    async (request, reply) => {
      const owner = await findKey(request.body.apiKey);
      if (owner === undefined) throw new WireError("invalid_api_key", "invalid API key");
      await sessions.end(request, reply);
      await sessions.open(request, reply, owner.apiKeyId);
      return openSession(await sessions.find(request));
    },
  );

  app.get(
    "/dashboard/session",
    { schema: { hide: true, response: { 200: dashboardSessionSchema } } },
    async (request) => openSession(await sessions.find(request)),
  );

  app.delete(
    "/dashboard/session",
    { schema: { hide: true, response: noContent } },
    async (request, reply) => {
      await sessions.end(request, reply);
      return reply.code(204).send();
    },
  );
};

function openSession<Session>(session: Session | undefined): Session {
  if (session !== undefined) return session;
  throw new WireError("missing_api_key", "No session of the dashboard is open: sign in");
}
