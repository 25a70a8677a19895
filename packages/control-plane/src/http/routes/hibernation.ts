import {
  hibernateResponseSchema,
  wakeSandboxBodySchema,
  wokenSandboxSchema,
} from "@opencomputer/protocol/api";
import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import type { SandboxService } from "../../sandboxes/service/sandbox-service.ts";
import { idParamsSchema } from "./route-parts.ts";

export const hibernationRoutes: FastifyPluginAsyncZod<{ sandboxes: SandboxService }> = async (
  app,
  { sandboxes },
) => {
  app.post(
    "/sandboxes/:id/hibernate",
    {
      schema: {
        summary:
          "Hibernate a sandbox: its memory and disk are saved, and it uses nothing of the host but disk space",
        params: idParamsSchema,
        response: { 200: hibernateResponseSchema },
      },
    },
    async (request) => sandboxes.hibernate(request.orgId, request.params.id),
  );

  app.post(
    "/sandboxes/:id/wake",
    {
      schema: {
        summary: "Wake a hibernated sandbox; one that runs gets the same response",
        params: idParamsSchema,
        body: wakeSandboxBodySchema,
        response: { 200: wokenSandboxSchema },
      },
    },
    async (request) =>
      sandboxes.wake(request.orgId, request.params.id, request.body.timeout ?? null),
  );
};
