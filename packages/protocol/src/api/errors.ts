import { z } from "zod";

/**
 * Every error code with its HTTP status. Programs may compare the codes. All
 * processes use this list.
 */
export const errorStatuses = {
  invalid_request: 400,
  invalid_json: 400,
  invalid_host_pattern: 400,
  invalid_secret_name: 400,
  limit_exceeded: 400,
  project_not_found: 400,
  secret_store_not_found: 400,
  snapshot_not_found: 400,
  unsupported_option: 400,
  command_not_found: 400,
  working_directory_not_found: 400,
  not_a_file: 400,
  not_a_directory: 400,
  missing_api_key: 401,
  invalid_api_key: 403,
  forbidden: 403,
  /** A page of another site opened a WebSocket. */
  origin_not_allowed: 403,
  scaling_locked: 403,
  signed_url_expired: 403,
  invalid_signature: 403,
  not_found: 404,
  sandbox_not_found: 404,
  checkpoint_not_found: 404,
  patch_not_found: 404,
  preview_not_found: 404,
  file_not_found: 404,
  session_not_found: 404,
  method_not_allowed: 405,
  name_in_use: 409,
  secret_store_in_use: 409,
  sandbox_not_running: 409,
  /** The session is older than one that the proxy has, or had. */
  stale_session: 409,
  last_api_key: 409,
  preset_api_key: 409,
  /** The connection to the peer was lost after the request was sent: it may or may not have been carried out. */
  outcome_unknown: 409,
  file_exists: 409,
  /** The commands of the sandbox use more memory than the requested size has. */
  oom_floor: 409,
  limit_reached: 409,
  checkpoint_not_ready: 409,
  checkpoint_failed: 409,
  snapshot_not_ready: 409,
  body_too_large: 413,
  directory_too_large: 413,
  unsupported_media_type: 415,
  /** The request is for a host that does not belong to this service. */
  host_not_allowed: 421,
  image_build_failed: 422,
  idempotency_key_reused: 422,
  too_many_requests: 429,
  header_too_large: 431,
  internal_error: 500,
  guest_failed: 502,
  /** Nothing in the guest accepts connections on that port of its loopback. */
  port_not_listening: 502,
  worker_unavailable: 503,
  egress_proxy_unavailable: 503,
  /** Stored, and enforced as soon as the peer acknowledges it. */
  enforcement_pending: 503,
  capacity_exhausted: 503,
  guest_storage_full: 507,
  host_storage_full: 507,
} as const satisfies Record<string, number>;

export type ErrorCode = keyof typeof errorStatuses;

/**
 * Body of every error response: text for people, a code for programs.
 * `remediation` names the command or the setting that helps, where there is
 * one. It holds no text of the caller, so a command in it can be run as it is,
 * with `<…>` filled in.
 */
export const errorBodySchema = z.object({
  error: z.string(),
  code: z.string(),
  remediation: z.string().optional(),
  details: z.record(z.string(), z.unknown()).optional(),
});
export type ErrorBody = z.infer<typeof errorBodySchema>;

/**
 * The one error that crosses a wire of the product.
 *
 * `message` names the thing, what was expected and what was found; `status`
 * follows from `code`; `remediation` and `details` are those of the body.
 */
export class WireError extends Error {
  readonly code: ErrorCode;
  readonly remediation: string | undefined;
  readonly details: Record<string, unknown> | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    options: {
      cause?: unknown;
      remediation?: string | undefined;
      details?: Record<string, unknown> | undefined;
    } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "WireError";
    this.code = code;
    this.remediation = options.remediation;
    this.details = options.details;
  }

  get status(): number {
    return errorStatuses[this.code];
  }

  toBody(): ErrorBody {
    return {
      error: this.message,
      code: this.code,
      ...(this.remediation === undefined ? {} : { remediation: this.remediation }),
      ...(this.details === undefined ? {} : { details: this.details }),
    };
  }
}

export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(errorStatuses, text);
}
