export type HttpSyntaxFault = "malformed" | "too_large" | "unsupported_version" | "truncated";

/**
 * A message that RFC 9112 does not allow, or that goes over a limit. The
 * message says what was expected and never repeats field values: they may
 * hold credentials.
 */
export class HttpSyntaxError extends Error {
  readonly fault: HttpSyntaxFault;

  constructor(fault: HttpSyntaxFault, message: string) {
    super(message);
    this.name = "HttpSyntaxError";
    this.fault = fault;
  }
}

export function malformed(message: string): HttpSyntaxError {
  return new HttpSyntaxError("malformed", message);
}
