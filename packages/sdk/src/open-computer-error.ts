import type { ErrorCode } from "@opencomputer/protocol/api";

/**
 * Errors that occur before or instead of a response of the service.
 *
 * - `missing_api_key`, `invalid_api_key`, `invalid_api_url`, `invalid_request`:
 *   refused before anything was sent.
 * - `connection_failed`: the service was not reached, or the connection broke.
 * - `request_timed_out`: no response arrived within the SDK's own deadline.
 * - `unexpected_response`: something responded, but not as OpenComputer does.
 * - `shell_busy`, `shell_closed`: a persistent shell could not take the command.
 */
export type ClientErrorCode =
  | "missing_api_key"
  | "invalid_api_key"
  | "invalid_api_url"
  | "invalid_request"
  | "connection_failed"
  | "request_timed_out"
  | "unexpected_response"
  | "shell_busy"
  | "shell_closed";

/** A code of this SDK, one of the service, or one of a service newer than this SDK. */
export type OpenComputerErrorCode = ErrorCode | ClientErrorCode | (string & {});

/**
 * The one error that the SDK throws, except for a caller's own: an aborted
 * `signal` rejects with its reason, a failing upload source with its error.
 *
 * `message` names the thing, what was expected and what was found. It never
 * contains an API key or the value of a secret.
 */
export class OpenComputerError extends Error {
  /** The code that programs may compare, such as `sandbox_not_found`. */
  readonly code: OpenComputerErrorCode;
  /** HTTP status of the response; undefined when there was none. */
  readonly status: number | undefined;
  /** The command or the setting that helps, in the words of an operator; undefined when there is none. */
  readonly remediation: string | undefined;
  /** Further data of the error for programs; undefined when there is none. */
  readonly details: Record<string, unknown> | undefined;

  constructor(
    code: OpenComputerErrorCode,
    message: string,
    options: {
      status?: number | undefined;
      remediation?: string | undefined;
      details?: Record<string, unknown> | undefined;
      cause?: unknown;
    } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "OpenComputerError";
    this.code = code;
    this.status = options.status;
    this.remediation = options.remediation;
    this.details = options.details;
  }
}

/** The size of the sandbox is locked: `sandbox.setScalingLock(false)` unlocks it. */
export class ScalingLockedError extends OpenComputerError {
  override readonly name = "ScalingLockedError";
}

/** The error for an error response of the service. */
export function serviceError(
  code: string,
  message: string,
  options: ConstructorParameters<typeof OpenComputerError>[2],
): OpenComputerError {
  const Kind = code === "scaling_locked" ? ScalingLockedError : OpenComputerError;
  return new Kind(code, message, options);
}
