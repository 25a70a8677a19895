import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";

export interface HealthRoutes {
  /** Whether sandboxes can be created now. */
  isReady: () => boolean;
}

export const healthRoutes: FastifyPluginAsyncZod<HealthRoutes> = async (app, { isReady }) => {
  app.get(
    "/health",
    {
      logLevel: "warn",
      config: { access: "public" },
      schema: {
        summary: "Tell whether the service is up, and whether it can create sandboxes",
        response: { 200: z.object({ status: z.literal("ok"), ready: z.boolean() }) },
      },
    },
    async () => ({ status: "ok" as const, ready: isReady() }),
  );
};
