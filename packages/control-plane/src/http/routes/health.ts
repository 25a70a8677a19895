import { type Health, healthSchema } from "@opencomputer/protocol/api";
import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";

export const healthRoutes: FastifyPluginAsyncZod<{ readHealth: () => Health }> = async (
  app,
  { readHealth },
) => {
  for (const path of ["/health", "/api/health"]) {
    app.get(
      path,
      {
        logLevel: "warn",
        config: { access: "public" },
        schema: {
          summary:
            "Report whether the service can create sandboxes, and the state of its processes",
          response: { 200: healthSchema },
        },
      },
      async () => readHealth(),
    );
  }
};
