/**
 * What is wrong with a message.
 *
 * - `malformed`: it breaks the grammar, or can be read in two ways
 * - `too_large`: it is over a limit of the proxy
 * - `unsupported_version`: it is not HTTP/1.0 or HTTP/1.1
 * - `truncated`: the connection ended before the message did
 */
export type HttpSyntaxFault = "malformed" | "too_large" | "unsupported_version" | "truncated";

/**
 * Thrown for an HTTP message that RFC 9112 does not allow, or that is over a
 * limit. The text states what was expected and never repeats field values:
 * they may hold credentials.
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
