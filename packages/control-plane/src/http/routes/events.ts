import {
  eventPageSchema,
  followEventsHeadersSchema,
  listEventsQuerySchema,
} from "@opencomputer/protocol/api";
import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import type { EventService } from "../../events/event-service.ts";
import { createStreamResponses, wantsEventStream } from "../respond/event-stream.ts";

/** What has happened in the caller's org, by page or as it happens. */
export const eventRoutes: FastifyPluginAsyncZod<{ events: EventService }> = async (
  app,
  { events },
) => {
  const respondWithStream = createStreamResponses(app);

  app.get(
    "/events",
    {
      config: {
        eventStream: "each event as JSON, with its cursor as the id, as it happens",
      },
      schema: {
        summary: "List events, or follow them",
        querystring: listEventsQuerySchema,
        headers: followEventsHeadersSchema,
        response: { 200: eventPageSchema },
      },
    },
    async (request, reply) => {
      const { orgId, query, headers } = request;
      if (!wantsEventStream(request)) return events.list(orgId, query);
      const cursor = headers["last-event-id"] ?? query.cursor;
      return respondWithStream(reply, (signal) =>
        events.follow(orgId, { ...query, cursor }, signal),
      );
    },
  );
};
