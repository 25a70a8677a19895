import { AwsSignatureError } from "../../aws-signature/aws-signature-error.ts";
import { HttpSyntaxError } from "../../http/http-syntax-error.ts";
import { SecretNotUsableError } from "../../token-substitution/secret-not-usable-error.ts";
import { DialError } from "../../upstream/destination.ts";

/** The codes of the proxy's own responses, with their statuses. */
export const refusalStatuses = {
  malformed_request: 400,
  no_session: 403,
  egress_host_not_allowed: 403,
  address_refused: 403,
  upgrade_refused: 403,
  upstream_proxy_refused: 403,
  aws_signature_refused: 403,
  method_not_allowed: 405,
  request_timed_out: 408,
  aws_signed_body_too_large: 413,
  host_mismatch: 421,
  secret_not_usable_in_header: 422,
  secret_not_usable_in_path: 422,
  head_too_large: 431,
  internal_error: 500,
  upstream_malformed: 502,
  upstream_closed: 502,
  content_coding_not_supported: 502,
  content_coding_invalid: 502,
  charset_not_supported: 502,
  partial_response_refused: 502,
  value_in_compressed_body: 502,
  value_in_grpc_message: 502,
  websocket_malformed: 502,
  name_not_resolved: 502,
  connection_failed: 502,
  certificate_invalid: 502,
  protocol_not_supported: 502,
  audit_trail_unwritable: 503,
  too_many_connections: 503,
  aws_signed_bodies_too_many: 503,
  compressed_responses_too_many: 503,
  timed_out: 504,
  http_version_not_supported: 505,
} as const satisfies Record<string, number>;

export type RefusalCode = keyof typeof refusalStatuses;

/** Thrown to end an exchange with a response of the proxy itself. The message is for the guest to read. */
export class Refusal extends Error {
  readonly code: RefusalCode;
  /** Whether the request was allowed, and failed later. */
  readonly wasAllowed: boolean;

  constructor(
    code: RefusalCode,
    message: string,
    options: { wasAllowed?: boolean; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "Refusal";
    this.code = code;
    this.wasAllowed = options.wasAllowed ?? false;
  }

  get status(): number {
    return refusalStatuses[this.code];
  }
}

const awsSignatureCodes = {
  refused: "aws_signature_refused",
  too_large: "aws_signed_body_too_large",
  busy: "aws_signed_bodies_too_many",
} as const satisfies Record<AwsSignatureError["fault"], RefusalCode>;

/** Returns the refusal for an error of the guest's side; undefined for any other error. */
export function refusalFrom(error: unknown): Refusal | undefined {
  if (error instanceof Refusal) return error;
  if (error instanceof HttpSyntaxError) return fromSyntaxError(error);
  if (error instanceof SecretNotUsableError) {
    return new Refusal(`secret_not_usable_in_${error.place}`, error.message, { cause: error });
  }
  if (error instanceof AwsSignatureError) {
    return new Refusal(awsSignatureCodes[error.fault], error.message, { cause: error });
  }
  if (error instanceof DialError) {
    return new Refusal(error.failure, error.message, {
      wasAllowed: error.wasAllowed,
      cause: error,
    });
  }
  return undefined;
}

/** Returns the refusal for a malformed response of the upstream; any other error unchanged. */
export function upstreamRefusal(error: unknown, host: string): unknown {
  if (!(error instanceof HttpSyntaxError)) return error;
  if (error.fault === "truncated") return upstreamClosed(host, error);
  return new Refusal("upstream_malformed", `${host} sent a malformed response: ${error.message}`, {
    wasAllowed: true,
    cause: error,
  });
}

export function upstreamClosed(host: string, cause?: unknown): Refusal {
  return new Refusal(
    "upstream_closed",
    `${host} closed the connection before its response was complete`,
    {
      wasAllowed: true,
      cause,
    },
  );
}

function fromSyntaxError(error: HttpSyntaxError): Refusal {
  if (error.fault === "too_large") {
    return new Refusal("head_too_large", `The request is refused: ${error.message}`, {
      cause: error,
    });
  }
  const code =
    error.fault === "unsupported_version" ? "http_version_not_supported" : "malformed_request";
  return new Refusal(code, `The request is refused: ${error.message}`, { cause: error });
}
