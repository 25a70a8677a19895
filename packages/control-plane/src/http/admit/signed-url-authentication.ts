import { uuidSchema, WireError } from "@opencomputer/protocol/api";
import type { FastifyRequest } from "fastify";
import { z } from "zod";
import type { UrlSignatures } from "../../signed-urls/url-signatures.ts";

/** What a URL of each method is signed for: one to read a file serves its head, too. */
const signedMethods = { GET: "GET", HEAD: "GET", PUT: "PUT" } as const;
const methodSchema = z.enum(["GET", "HEAD", "PUT"]).transform((method) => signedMethods[method]);
const paramsSchema = z.object({ id: z.string() });
const querySchema = z.object({
  org: uuidSchema,
  path: z.string(),
  expires: z
    .string()
    .regex(/^\d{1,12}$/)
    .transform(Number),
  signature: z.string(),
});

/**
 * The hook that lets a signed URL in, and no other credential. The org is part
 * of what is signed, so that the sandbox is looked up by it as everywhere.
 *
 * @throws {WireError} `signed_url_expired`, `invalid_signature`
 */
export function createSignedUrlAuthentication(deps: {
  signatures: UrlSignatures;
  now: () => number;
}) {
  return async (request: FastifyRequest): Promise<void> => {
    const method = methodSchema.safeParse(request.method);
    const params = paramsSchema.safeParse(request.params);
    const query = querySchema.safeParse(request.query);
    if (!method.success || !params.success || !query.success) throw invalidSignature();
    const { org, path, expires, signature } = query.data;
    if (expires * 1000 <= deps.now()) {
      throw new WireError("signed_url_expired", "signed URL expired");
    }
    const file = {
      method: method.data,
      orgId: org,
      sandboxId: params.data.id,
      path,
      expires,
    };
    if (!deps.signatures.verify(file, signature)) throw invalidSignature();
    request.orgId = org;
  };
}

function invalidSignature(): WireError {
  return new WireError("invalid_signature", "invalid signature");
}
