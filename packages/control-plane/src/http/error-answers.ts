import { type ErrorBody, WireError } from "@opencomputer/protocol";
import type { FastifyError, FastifyReply, FastifyRequest } from "fastify";
import { VaultError } from "../vault/vault.ts";

/** Longest id or name in a path. */
export const pathPartCharactersMax = 256;

/**
 * The answer for anything that a route or Fastify throws. Texts of others are
 * never passed on, but those of the vault: a JSON parser quotes the body, a
 * database its parameters.
 */
export function answerError(
  error: FastifyError | Error,
  request: FastifyRequest,
  reply: FastifyReply,
) {
  const answer = toWireError(error, request);
  if (answer.status >= 500) {
    const level = answer.status === 503 ? "warn" : "error";
    request.log[level]({ err: error, route: request.routeOptions.url }, "a request failed");
  }
  const retryAfterSeconds = answer.details?.["retryAfterSeconds"];
  if (typeof retryAfterSeconds === "number") reply.header("retry-after", retryAfterSeconds);
  return reply.code(answer.status).type("application/json").send(answer.toBody());
}

export function answerUnknownRoute(request: FastifyRequest, reply: FastifyReply) {
  const path = request.url.split("?", 1)[0];
  const error = new WireError("not_found", `There is no route ${request.method} ${path}`);
  return reply.code(error.status).send(error.toBody());
}

/** Bytes that the HTTP server itself answers with, before there is a request. */
export function rawErrorAnswer(error: { code?: string }, headerBytesMax: number): string {
  const [status, body] =
    error.code === "HPE_HEADER_OVERFLOW"
      ? ["431 Request Header Fields Too Large", headerTooLarge(headerBytesMax)]
      : ["400 Bad Request", malformed];
  const text = JSON.stringify(body);
  return `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\nConnection: close\r\n\r\n${text}`;
}

const headerTooLarge = (bytesMax: number): ErrorBody => ({
  error: `The head of the request is larger than ${bytesMax} octets, the most: send fewer or shorter headers, or have OPENCOMPUTER_API_HEADER_BYTES_MAX raised`,
  code: "header_too_large",
});
const malformed: ErrorBody = { error: "This is not a valid HTTP request", code: "invalid_request" };

function toWireError(error: FastifyError | Error, request: FastifyRequest): WireError {
  if (error instanceof WireError) return error;
  // It names the secret and says what may have happened to it; it never has a value.
  if (error instanceof VaultError) return new WireError("internal_error", error.message);
  switch ("code" in error ? error.code : undefined) {
    case "FST_ERR_CTP_INVALID_JSON_BODY":
    case "FST_ERR_CTP_EMPTY_JSON_BODY":
      return new WireError("invalid_json", "The body is not valid JSON");
    case "FST_ERR_CTP_BODY_TOO_LARGE":
      return bodyTooLarge(request.routeOptions);
    case "FST_ERR_CTP_INVALID_MEDIA_TYPE":
      return new WireError(
        "unsupported_media_type",
        "The body must be JSON: send it with Content-Type: application/json",
      );
    case "FST_ERR_CTP_INVALID_CONTENT_LENGTH":
      return new WireError("invalid_request", "Content-Length is not the length of the body");
    case "FST_ERR_MAX_PARAM_LENGTH":
      return new WireError(
        "invalid_request",
        `A part of the path is longer than ${pathPartCharactersMax} characters, the most for an id or a name`,
      );
    case "FST_ERR_BAD_URL":
      return new WireError("invalid_request", "The path is not a valid URL path");
    default:
      return new WireError(
        "internal_error",
        "Something went wrong on the server; its log says what",
      );
  }
}

function bodyTooLarge({ bodyLimit, config }: FastifyRequest["routeOptions"]): WireError {
  const text = `The body is larger than ${bodyLimit} octets, the most for`;
  return new WireError(
    "body_too_large",
    config.eventStream === true
      ? `${text} an image with its files: have a run step fetch what is large`
      : `${text} JSON: send less, or have OPENCOMPUTER_API_BODY_BYTES_MAX raised`,
  );
}
