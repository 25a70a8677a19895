import { filePathQuerySchema } from "@opencomputer/protocol/api";
import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import type { createSignedUrlAuthentication } from "../admit/signed-url-authentication.ts";
import type { SandboxOperations } from "../operate/sandbox-operations.ts";
import { createFileContent, takeAnyContent } from "../stream/file-content.ts";
import { noContent } from "./route-parts.ts";

export interface SignedFileRoutes {
  operations: SandboxOperations;
  authenticateSignedUrl: ReturnType<typeof createSignedUrlAuthentication>;
}

/** What signed URLs lead to. The signature is the only credential here. */
export const signedFileRoutes: FastifyPluginAsyncZod<SignedFileRoutes> = async (app, deps) => {
  const content = createFileContent(deps.operations);
  const schema = {
    params: z.object({ id: z.string() }),
    querystring: filePathQuerySchema.extend({
      org: z.string(),
      expires: z.string(),
      signature: z.string(),
    }),
  };

  app.addHook("onRequest", deps.authenticateSignedUrl);
  takeAnyContent(app);

  app.get(
    "/sandboxes/:id/files/download",
    {
      config: { access: "signed-url", fileContent: "response" },
      schema: { ...schema, summary: "Download by a signed URL" },
    },
    async (request, reply) => {
      const { path } = request.query;
      // A browser follows such a link: it is to save the content, never to show it.
      reply.header("content-disposition", `attachment; filename*=${extendedFileName(path)}`);
      reply.header("x-content-type-options", "nosniff");
      return content.send(request, reply, { id: request.params.id, path });
    },
  );

  app.put(
    "/sandboxes/:id/files/upload",
    {
      config: { access: "signed-url", fileContent: "request" },
      schema: { ...schema, summary: "Upload by a signed URL", response: noContent },
    },
    async (request, reply) =>
      content.receive(request, reply, { id: request.params.id, path: request.query.path }),
  );
};

/** The last segment of a path as RFC 8187, section 3.2 writes it. */
function extendedFileName(path: string): string {
  const name = path.split("/").at(-1) ?? "";
  const encoded = encodeURIComponent(name).replace(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `UTF-8''${encoded}`;
}
