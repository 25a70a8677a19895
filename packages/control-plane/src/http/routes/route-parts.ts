import { WireError } from "@opencomputer/protocol/api";
import type { FastifyRequest } from "fastify";
import { z } from "zod";
import type { ApiOrigin } from "../../previews/preview-service.ts";

/** The parameters of a path that names a sandbox, or another object, by `:id`. */
export const idParamsSchema = z.object({ id: z.string() });

/** The response of a route that reports only that it is done. */
export const noContent = { 204: z.undefined().describe("Done") };

/** What the stream of a request that may build an image consists of. */
export const buildStreamText =
  "events `build_log`, then `result` with the plain response, or `error`";

/** Where the caller has reached the API. @throws {WireError} `invalid_request` */
export function originOf(request: FastifyRequest): ApiOrigin {
  const { protocol, host, hostname } = request;
  if (URL.canParse(`${protocol}://${host}`)) return { protocol, host, hostname };
  throw new WireError(
    "invalid_request",
    "Host: expected the name or address under which the API was reached",
  );
}
