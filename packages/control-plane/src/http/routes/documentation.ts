import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import { renderDocumentationPage } from "../open-api/documentation-page.ts";

/** The API's description, for programs and for people. It is the same for everyone. */
export const documentationRoutes: FastifyPluginAsyncZod = async (app) => {
  app.get(
    "/openapi.json",
    {
      config: { access: "public" },
      schema: {
        summary: "Get this document",
        response: { 200: z.record(z.string(), z.unknown()) },
      },
    },
    async () => ({ ...app.swagger() }),
  );

  app.get(
    "/docs",
    {
      config: { access: "public" },
      schema: {
        summary: "Read this document as a page",
        response: {
          200: { description: "The page", content: { "text/html": { schema: z.string() } } },
        },
      },
    },
    async (_request, reply) => {
      reply.header("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'");
      return reply.type("text/html; charset=utf-8").send(renderDocumentationPage(app.swagger()));
    },
  );
};
