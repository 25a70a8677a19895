import { WireError } from "@opencomputer/protocol/api";
import type { FastifyError } from "fastify";
import { hasZodFastifySchemaValidationErrors } from "fastify-type-provider-zod";

const issuesNamedMax = 5;

/** What differs between the processes. */
export interface ErrorTexts {
  /** For a body over the route's limit: the limit and how to stay within it. */
  bodyTooLarge: string;
  /** The setting that allows such a body. */
  bodyTooLargeRemediation?: string | undefined;
  /** For a part of the path over the router's limit; without it the error is `internal_error`. */
  pathPartTooLong?: string;
  /** For any other error: which log has the reason. */
  internal: string;
}

/**
 * The error that a caller is shown for anything that a route or Fastify throws.
 * No text of another library is passed on, because a JSON parser quotes the
 * body and a database its parameters, either of which may be a secret.
 */
export function toWireError(error: FastifyError | Error, texts: ErrorTexts): WireError {
  if (error instanceof WireError) return error;
  if (hasZodFastifySchemaValidationErrors(error)) {
    const issues = error.validation
      .slice(0, issuesNamedMax)
      .map(
        ({ instancePath, message }) =>
          `${instancePath.slice(1) || error.validationContext || "body"}: ${message ?? "malformed"}`,
      );
    return new WireError("invalid_request", issues.join("; "));
  }
  switch ("code" in error ? error.code : undefined) {
    case "FST_ERR_CTP_INVALID_JSON_BODY":
    case "FST_ERR_CTP_EMPTY_JSON_BODY":
      return new WireError("invalid_json", "The body is not valid JSON");
    case "FST_ERR_CTP_BODY_TOO_LARGE":
      return new WireError("body_too_large", texts.bodyTooLarge, {
        remediation: texts.bodyTooLargeRemediation,
      });
    case "FST_ERR_CTP_INVALID_MEDIA_TYPE":
      return new WireError(
        "unsupported_media_type",
        "The body must be JSON: send it with Content-Type: application/json",
      );
    case "FST_ERR_CTP_INVALID_CONTENT_LENGTH":
      return new WireError("invalid_request", "Content-Length is not the length of the body");
    case "FST_ERR_MAX_PARAM_LENGTH":
      return new WireError(
        texts.pathPartTooLong === undefined ? "internal_error" : "invalid_request",
        texts.pathPartTooLong ?? texts.internal,
      );
    case "FST_ERR_BAD_URL":
      return new WireError("invalid_request", "The path is not a valid URL path");
    default:
      return isMalformed(error)
        ? new WireError("invalid_request", "The request is malformed")
        : new WireError("internal_error", texts.internal);
  }
}

/** Fastify gives its refusals a status; a library's error that has one is not the caller's fault. */
function isMalformed(error: FastifyError | Error): boolean {
  if (!("code" in error) || !("statusCode" in error)) return false;
  return String(error.code).startsWith("FST_ERR_") && error.statusCode === 400;
}
