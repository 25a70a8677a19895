import { signedUrlRequestSchema, signedUrlSchema } from "@opencomputer/protocol/api";
import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import type { SignedUrlService } from "../../signed-urls/signed-url-service.ts";
import type { SandboxOperations } from "../operate/sandbox-operations.ts";
import { idParamsSchema, originOf } from "./route-parts.ts";

export interface SignedUrlRoutes {
  signedUrls: SignedUrlService;
  operations: SandboxOperations;
}

/** Each kind of signed URL: the route that makes it, and the one that it leads to. */
const kinds = [
  {
    route: "/sandboxes/:id/files/download-url",
    action: { method: "GET", target: "download" },
    summary: "Create a URL that anyone can download a file from",
  },
  {
    route: "/sandboxes/:id/files/upload-url",
    action: { method: "PUT", target: "upload" },
    summary: "Create a URL that anyone can upload a file to",
  },
] as const;

/** Makes URLs that open one file without a key, for anyone who has them. */
export const signedUrlRoutes: FastifyPluginAsyncZod<SignedUrlRoutes> = async (
  app,
  { signedUrls, operations },
) => {
  for (const kind of kinds) {
    app.post(
      kind.route,
      {
        config: { acceptsSandboxToken: true },
        schema: {
          summary: kind.summary,
          params: idParamsSchema,
          body: signedUrlRequestSchema,
          response: { 200: signedUrlSchema },
        },
      },
      async (request, reply) => {
        const { id } = request.params;
        await operations.begin(request, reply, id);
        const file = { orgId: request.orgId, sandboxId: id, ...kind.action, ...request.body };
        return signedUrls.sign(file, () => {
          const { protocol, host } = originOf(request);
          return `${protocol}://${host}`;
        });
      },
    );
  }
};
