import {
  defaults,
  type SignedUrl,
  type SignedUrlRequest,
  signedUrlRequestSchema,
  signedUrlSchema,
  WireError,
} from "@opencomputer/protocol";
import type { FastifyRequest } from "fastify";
import type { FastifyPluginAsyncZod } from "fastify-type-provider-zod";
import { z } from "zod";
import type { UrlSignatures } from "../../signed-urls/url-signatures.ts";
import type { BeginOperation } from "../routed-operation.ts";

export interface SignedUrlRoutes {
  beginOperation: BeginOperation;
  signatures: UrlSignatures;
  /** Where clients reach the API; undefined when that is where they say they reach it. */
  publicUrl: string | undefined;
  now: () => number;
}

/** Each kind of signed URL: the route that makes it, and the one that it leads to. */
const kinds = [
  {
    route: "/sandboxes/:id/files/download-url",
    method: "GET",
    target: "download",
    summary: "Make a URL that anyone can download a file from",
  },
  {
    route: "/sandboxes/:id/files/upload-url",
    method: "PUT",
    target: "upload",
    summary: "Make a URL that anyone can upload a file to",
  },
] as const;

/** Makes URLs that open one file without a key, for whoever is given them. */
export const signedUrlRoutes: FastifyPluginAsyncZod<SignedUrlRoutes> = async (app, deps) => {
  for (const kind of kinds) {
    app.post(
      kind.route,
      {
        config: { acceptsSandboxToken: true },
        schema: {
          summary: kind.summary,
          params: z.object({ id: z.string() }),
          body: signedUrlRequestSchema,
          response: { 200: signedUrlSchema },
        },
      },
      async (request, reply) => {
        const { id } = request.params;
        await deps.beginOperation(request, reply, id);
        return sign(request, id, request.body, kind);
      },
    );
  }

  function sign(
    request: FastifyRequest,
    sandboxId: string,
    { path, expiresIn }: SignedUrlRequest,
    { method, target }: (typeof kinds)[number],
  ): SignedUrl {
    const expires = Math.ceil(deps.now() / 1000) + (expiresIn ?? defaults.signedUrlSeconds);
    const { orgId } = request;
    const url = new URL(
      `${deps.publicUrl ?? originOf(request)}/api/sandboxes/${sandboxId}/files/${target}`,
    );
    url.searchParams.set("path", path);
    url.searchParams.set("expires", String(expires));
    url.searchParams.set("org", orgId);
    url.searchParams.set(
      "signature",
      deps.signatures.sign({ method, orgId, sandboxId, path, expires }),
    );
    return { url: url.href, expiresAt: new Date(expires * 1000).toISOString() };
  }
};

/** Where the caller has reached the API. @throws {WireError} `invalid_request` */
function originOf(request: FastifyRequest): string {
  const origin = `${request.protocol}://${request.host}`;
  if (URL.canParse(origin)) return origin;
  throw new WireError(
    "invalid_request",
    "Host: expected the name or address under which the API was reached",
  );
}
