import { DialError } from "../contract.ts";
import { HttpSyntaxError } from "../http1/http-syntax-error.ts";
import { SecretNotUsableError } from "../substitution/secret-not-usable-error.ts";

/** What the proxy responds by itself, with the status that goes with it. */
const refusalStatuses = {
  malformed_request: 400,
  no_session: 403,
  egress_host_not_allowed: 403,
  address_refused: 403,
  upgrade_refused: 403,
  method_not_allowed: 405,
  request_timed_out: 408,
  host_mismatch: 421,
  secret_not_usable_in_header: 422,
  secret_not_usable_in_path: 422,
  head_too_large: 431,
  internal_error: 500,
  upstream_malformed: 502,
  upstream_closed: 502,
  content_coding_not_supported: 502,
  content_coding_invalid: 502,
  partial_response_refused: 502,
  value_in_compressed_body: 502,
  websocket_malformed: 502,
  name_not_resolved: 502,
  connection_failed: 502,
  certificate_invalid: 502,
  audit_trail_unwritable: 503,
  timed_out: 504,
  http_version_not_supported: 505,
} as const satisfies Record<string, number>;

export type RefusalCode = keyof typeof refusalStatuses;

/** Ends an exchange with a response of the proxy's own. The message is for the guest to read. */
export class Refusal extends Error {
  readonly code: RefusalCode;
  /** Whether the request was allowed and failed later. */
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

/** The refusal that follows from an error on the guest's side; undefined when it is none of those. */
export function refusalFrom(error: unknown): Refusal | undefined {
  if (error instanceof Refusal) return error;
  if (error instanceof HttpSyntaxError) return fromSyntaxError(error);
  if (error instanceof SecretNotUsableError) {
    return new Refusal(`secret_not_usable_in_${error.place}`, error.message, { cause: error });
  }
  if (error instanceof DialError) {
    return new Refusal(error.failure, error.message, {
      wasAllowed: error.failure !== "address_refused",
      cause: error,
    });
  }
  return undefined;
}

/** The same error, where it is the upstream that sent what is wrong. */
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
