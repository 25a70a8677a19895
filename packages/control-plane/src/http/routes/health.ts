import { processStateSchema } from "@opencomputer/protocol/wire";
import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";

const healthSchema = z.object({
  status: z.literal("ok"),
  /** Whether sandboxes can be created now. */
  ready: z.boolean(),
  /** Whether the host bounds what each sandbox takes of it; null while that is not known. */
  limitsEnforced: z.boolean().nullable(),
  /** How many machines and saved machines the worker cannot read, and leaves alone; null while that is not known. */
  quarantinedCount: z.int().min(0).nullable(),
  /** The processes of the service, as their supervisor reports them. */
  processes: z.array(processStateSchema).readonly(),
});
export type Health = z.infer<typeof healthSchema>;

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
