import {
  orgUsageQuerySchema,
  orgUsageSchema,
  sandboxUsageSchema,
  tagUsageParamsSchema,
  tagUsageSchema,
  usageQuerySchema,
} from "@opencomputer/protocol/api";
import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import type { UsageService } from "../../usage/usage-service.ts";
import { idParamsSchema } from "./route-parts.ts";

/** What sandboxes use of their hosts, now and over time. No request wakes a sandbox. */
export const usageRoutes: FastifyPluginAsyncZod<{ usage: UsageService }> = async (
  app,
  { usage },
) => {
  app.get(
    "/sandboxes/:id/usage",
    {
      schema: {
        summary: "Get what a sandbox uses, now and over time",
        params: idParamsSchema,
        querystring: usageQuerySchema,
        response: { 200: sandboxUsageSchema },
      },
    },
    async ({ orgId, params, query }) => usage.ofSandbox(orgId, params.id, query),
  );

  app.get(
    "/usage",
    {
      schema: {
        summary: "Get what the sandboxes of the org use, in total and each",
        querystring: orgUsageQuerySchema,
        response: { 200: orgUsageSchema },
      },
    },
    async ({ orgId, query }) => usage.ofOrg(orgId, query),
  );

  app.get(
    "/usage/tags/:key",
    {
      schema: {
        summary: "Get what sandboxes use by the values of a tag",
        params: tagUsageParamsSchema,
        querystring: orgUsageQuerySchema,
        response: { 200: tagUsageSchema },
      },
    },
    async ({ orgId, params, query }) => usage.ofTag(orgId, params.key, query),
  );
};
