import { toWireError } from "@opencomputer/process";
import { WireError } from "@opencomputer/protocol/api";
import { serviceLimits } from "@opencomputer/protocol/wire";
import type { FastifyError, FastifyInstance } from "fastify";
import type { Logger } from "pino";
import { describeError } from "../logging/describe-error.ts";

const errorTexts = {
  bodyTooLarge: `The body is larger than ${serviceLimits.egressSessionBytesMax} bytes, the most for a session`,
  internal: "The egress proxy failed; its log has the reason",
};

/**
 * Makes every error of the control API a `WireError` body. The bodies that
 * come in hold secret values, so no response and no log line quotes one: a
 * validation error names the field and what was expected, and an unexpected
 * error only refers to the log.
 */
export function respondWithWireErrors(server: FastifyInstance, log: Logger): void {
  server.setErrorHandler((error: FastifyError, request, reply) => {
    const wireError = toWireError(error, errorTexts);
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
