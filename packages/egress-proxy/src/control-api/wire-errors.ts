import { limits, WireError } from "@opencomputer/protocol";
import type { FastifyError, FastifyInstance } from "fastify";
import { hasZodFastifySchemaValidationErrors } from "fastify-type-provider-zod";
import type { Logger } from "pino";
import { describeError, errorCode } from "../describe-error.ts";

const issuesNamedMax = 5;

/**
 * Makes every error of the control API a `WireError` body. The bodies that
 * come in hold secret values, so no answer and no log line quotes one: a
 * validation error says where and what was expected, and an unexpected error
 * says nothing but that it is in the log.
 */
export function answerWithWireErrors(server: FastifyInstance, log: Logger): void {
  server.setErrorHandler((error: FastifyError, request, reply) => {
    const wireError = toWireError(error);
    if (wireError.code === "internal_error") {
      log.error(
        { method: request.method, route: request.routeOptions.url, error: describeError(error) },
        "a control request failed",
      );
    }
    return reply.code(wireError.status).send(wireError.toBody());
  });
  server.setNotFoundHandler((request, reply) => {
    const wireError = new WireError(
      "not_found",
      `The egress proxy has no route ${request.method} ${request.url.split("?")[0]}`,
    );
    return reply.code(wireError.status).send(wireError.toBody());
  });
}

function toWireError(error: FastifyError): WireError {
  if (error instanceof WireError) return error;
  if (hasZodFastifySchemaValidationErrors(error)) {
    const issues = error.validation
      .slice(0, issuesNamedMax)
      .map((issue) => `${issue.instancePath || "body"}: ${issue.message ?? "malformed"}`);
    return new WireError("invalid_request", issues.join("; "));
  }
  switch (errorCode(error)) {
    case "FST_ERR_CTP_BODY_TOO_LARGE":
      return new WireError(
        "body_too_large",
        `The body has more than ${limits.egressSessionBytesMax} bytes`,
      );
    case "FST_ERR_CTP_INVALID_MEDIA_TYPE":
      return new WireError("unsupported_media_type", "The body has to be application/json");
    default:
      return error.statusCode === 400
        ? new WireError("invalid_request", "The request is malformed")
        : new WireError("internal_error", "The egress proxy failed; its log says where");
  }
}
