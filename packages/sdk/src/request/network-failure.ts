import { OpenComputerError } from "../open-computer-error.ts";
import type { ApiRequest } from "./api-request.ts";

/** System errors that occur before a connection is established, so nothing can have been carried out. */
const unreachableCodes = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EACCES",
  "UND_ERR_CONNECT_TIMEOUT",
]);

/** The error for a request without a complete response. */
export function networkFailure(
  baseUrl: string,
  request: ApiRequest,
  cause: unknown,
): OpenComputerError {
  const reason = systemReason(cause);
  const message =
    reason !== undefined && !unreachableCodes.has(reason)
      ? `The connection to OpenComputer at ${baseUrl} broke during ${request.method} ${request.path} (${reason})` +
        (request.method === "GET"
          ? ": try again"
          : ": it may have been carried out; check before you repeat it")
      : `Cannot reach OpenComputer at ${baseUrl}${reason === undefined ? "" : ` (${reason})`}: ` +
        "start it with `npm run serve`, or set OPENCOMPUTER_API_URL to where it runs";
  return new OpenComputerError("connection_failed", message, { cause });
}

/** The system's error code, from the chain of causes of an error of `fetch`. */
function systemReason(error: unknown): string | undefined {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 5; depth += 1) {
    if ("code" in cause && typeof cause.code === "string") return cause.code;
    cause = cause.cause;
  }
  return undefined;
}
