import { toWireError } from "@opencomputer/process";
import { type ErrorBody, WireError } from "@opencomputer/protocol/api";
import type { FastifyError, FastifyReply, FastifyRequest } from "fastify";
import { VaultError } from "../../vault/vault.ts";

/** Longest id or name in a path. */
export const pathPartCharactersMax = 256;
/** Shown instead of what no caller may see. */
export const internalErrorText = "Something went wrong on the server; its log has the reason";

/** Responds to anything that a route or Fastify throws. */
export function respondWithError(
  error: FastifyError | Error,
  request: FastifyRequest,
  reply: FastifyReply,
) {
  const wireError = describeForCaller(error, request);
  if (wireError.status >= 500) {
    const level = wireError.status === 503 ? "warn" : "error";
    request.log[level]({ err: error, route: request.routeOptions.url }, "a request failed");
  }
  const retryAfterSeconds = wireError.details?.["retryAfterSeconds"];
  if (typeof retryAfterSeconds === "number") reply.header("retry-after", retryAfterSeconds);
  return reply.code(wireError.status).type("application/json").send(wireError.toBody());
}

export function respondToUnknownRoute(request: FastifyRequest, reply: FastifyReply) {
  const path = request.url.split("?", 1)[0];
  const error = new WireError("not_found", `There is no route ${request.method} ${path}`);
  return reply.code(error.status).send(error.toBody());
}

/** The bytes that the HTTP server responds with while there is no request yet. */
export function rawErrorResponse(error: { code?: string }, headerBytesMax: number): string {
  const [status, body] =
    error.code === "HPE_HEADER_OVERFLOW"
      ? ["431 Request Header Fields Too Large", headerTooLarge(headerBytesMax)]
      : ["400 Bad Request", malformed];
  const text = JSON.stringify(body);
  return `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\nConnection: close\r\n\r\n${text}`;
}

const headerTooLarge = (bytesMax: number): ErrorBody => ({
  error: `The head of the request is larger than the limit of ${bytesMax} bytes: send fewer or shorter headers, or have OPENCOMPUTER_API_HEADER_BYTES_MAX raised`,
  code: "header_too_large",
  remediation: "OPENCOMPUTER_API_HEADER_BYTES_MAX",
});
const malformed: ErrorBody = { error: "This is not a valid HTTP request", code: "invalid_request" };

function describeForCaller(error: FastifyError | Error, request: FastifyRequest): WireError {
  // It names the secret and what may have happened to it; it never has a value.
  if (error instanceof VaultError) return new WireError("internal_error", error.message);
  const { bodyLimit, config } = request.routeOptions;
  const ofImage = config.eventStream !== undefined;
  return toWireError(error, {
    bodyTooLarge: ofImage
      ? `The body is larger than ${bodyLimit} bytes, the limit for an image with its files: have a run step fetch large files`
      : `The body is larger than ${bodyLimit} bytes, the limit for JSON: send less, or have OPENCOMPUTER_API_BODY_BYTES_MAX raised`,
    bodyTooLargeRemediation: ofImage ? undefined : "OPENCOMPUTER_API_BODY_BYTES_MAX",
    pathPartTooLong: `A part of the path is longer than ${pathPartCharactersMax} characters, the limit for an id or a name`,
    internal: internalErrorText,
  });
}
